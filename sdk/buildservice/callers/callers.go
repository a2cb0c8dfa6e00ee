// Package callers says who calls: CI systems by their OIDC tokens ([OIDC]), people and small shops by static tokens
// ([Static]). What a caller may do is a [Grant] of a project's configuration; nothing that a caller sends can add to it.
package callers

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"
)

// Caller is who calls, proven by a token.
type Caller struct {
	// Name is for people and the audit log: "github:repo:team/pay:ref:refs/heads/main", "token:pay-ci".
	Name string
	// Issuer is the name of the issuer in Ops' configuration, empty for static tokens.
	Issuer string
	// Token is the name of the static token, empty otherwise.
	Token string
	// Claims are the token's claims that are strings, numbers or booleans.
	Claims map[string]string
	// TokenID names a token that may ask for one build only; empty for static ones. Expires is when it does.
	TokenID string
	Expires time.Time
}

// ErrDenied says that a token proves nothing. Errors that wrap it say why, for the audit log and not for the caller.
var ErrDenied = errors.New("denied")

// Authenticator says who a bearer token belongs to.
type Authenticator interface {
	// Authenticate returns the caller, or an error that wraps [ErrDenied] when the token is no good. Any other error means
	// that it could not be found out, and denies as well.
	Authenticate(ctx context.Context, token string) (*Caller, error)
}

// Chain asks one authenticator after the other. The errors of all are told when none knows the token.
type Chain []Authenticator

// Authenticate implements [Authenticator].
func (c Chain) Authenticate(ctx context.Context, token string) (*Caller, error) {
	errs := []error{fmt.Errorf("%w: nobody knows this token", ErrDenied)}
	for _, a := range c {
		caller, err := a.Authenticate(ctx, token)
		if err == nil {
			return caller, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// Right is something that a grant allows.
type Right string

// The rights. Build includes Cancel and Read, Cancel includes Read.
const (
	Read   Right = "read"   // see builds, their logs and reports
	Cancel Right = "cancel" // stop builds
	Build  Right = "build"  // ask for builds
)

// Grant gives rights to callers: to those of an issuer whose claims fit, or to a static token.
type Grant struct {
	// Issuer is the name of an issuer, Claims what its tokens must say: patterns as of path.Match, so that * ends at a slash.
	// A grant for an issuer needs at least one claim: everybody in the world gets tokens of a public CI system.
	Issuer string
	Claims map[string]string
	// Token is the name of a static token, instead.
	Token string
	// Rights are what they may do.
	Rights []Right
}

// Check says what is wrong with a grant.
func (g Grant) Check() error {
	switch {
	case (g.Issuer == "") == (g.Token == ""):
		return errors.New("a grant names an issuer or a token, one of them")
	case g.Issuer != "" && len(g.Claims) == 0:
		return fmt.Errorf("a grant for the issuer %s needs claims: without any, whoever gets a token there is in", g.Issuer)
	case len(g.Rights) == 0:
		return errors.New("a grant needs rights")
	}
	for name, pattern := range g.Claims {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("the pattern %q for the claim %s: %w", pattern, name, err)
		}
	}
	for _, r := range g.Rights {
		if !slices.Contains([]Right{Read, Cancel, Build}, r) {
			return fmt.Errorf("unknown right %q: use read, cancel or build", r)
		}
	}
	return nil
}

// fits says whether a grant is for a caller.
func (g Grant) fits(c *Caller) bool {
	if g.Check() != nil {
		return false
	}
	if g.Token != "" {
		return c.Token == g.Token
	}
	if c.Issuer != g.Issuer {
		return false
	}
	for name, pattern := range g.Claims {
		value, ok := c.Claims[name]
		if match, err := path.Match(pattern, value); !ok || err != nil || !match {
			return false
		}
	}
	return true
}

// Allowed says whether one of the grants gives a caller a right.
func Allowed(grants []Grant, c *Caller, right Right) bool {
	for _, g := range grants {
		if !g.fits(c) {
			continue
		}
		for _, r := range g.Rights {
			if r == right || r == Build || r == Cancel && right == Read {
				return true
			}
		}
	}
	return false
}
