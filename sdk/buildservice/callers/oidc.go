package callers

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Issuer is a CI system, or anything else that issues OIDC tokens.
type Issuer struct {
	// Name is what grants call it: "github", "gitlab".
	Name string
	// URL is its address, as in the tokens' iss claim: https://token.actions.githubusercontent.com, https://gitlab.example.
	URL string
	// Audience is what the aud claim must have: this service's own address, which no other service asks for.
	Audience string
	// Leeway is how far the clocks may differ. Default 30 s, at most 5 min.
	Leeway time.Duration
}

// algorithms are those that are accepted: signatures with the issuer's published keys only, so neither "none" nor HMAC.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}

// OIDC accepts tokens of issuers. Their keys are found by discovery at first use and again when a token names a key that
// is not known yet. It is safe for concurrent use.
type OIDC struct {
	issuers map[string]*issuer
	client  *http.Client
	now     func() time.Time
}

type issuer struct {
	Issuer
	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier
	failed   error
	retry    time.Time
}

// OIDCOptions are the parts of [NewOIDC]. The zero value is useful.
type OIDCOptions struct {
	// Client fetches the issuers' keys. Default: one with a time limit of 10 s.
	Client *http.Client
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// NewOIDC returns an authenticator for issuers. Nothing is fetched yet, so that one that is down does not stop the others.
func NewOIDC(issuers []Issuer, opts OIDCOptions) (*OIDC, error) {
	o := &OIDC{issuers: map[string]*issuer{}, client: opts.Client, now: opts.Now}
	if o.client == nil {
		o.client = &http.Client{Timeout: 10 * time.Second}
	}
	if o.now == nil {
		o.now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	for _, i := range issuers {
		if i.Leeway == 0 {
			i.Leeway = 30 * time.Second
		}
		switch {
		case i.Name == "" || i.URL == "" || i.Audience == "":
			return nil, fmt.Errorf("the issuer %s %s needs a name, a URL and an audience", i.Name, i.URL)
		case i.Leeway < 0 || i.Leeway > 5*time.Minute:
			return nil, fmt.Errorf("the issuer %s: a leeway of %s is not between 0 and 5 minutes", i.Name, i.Leeway)
		case o.issuers[i.URL] != nil:
			return nil, fmt.Errorf("the issuer %s is there twice", i.URL)
		}
		o.issuers[i.URL] = &issuer{Issuer: i}
	}
	return o, nil
}

// Authenticate implements [Authenticator].
func (o *OIDC) Authenticate(ctx context.Context, token string) (*Caller, error) {
	claimed, err := unverifiedIssuer(token)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDenied, err)
	}
	i := o.issuers[claimed]
	if i == nil {
		return nil, fmt.Errorf("%w: no issuer %q in the configuration", ErrDenied, claimed)
	}
	verifier, err := i.ready(o)
	if err != nil {
		return nil, fmt.Errorf("the keys of %s: %w", i.Name, err)
	}
	verified, err := verifier.Verify(oidc.ClientContext(ctx, o.client), token)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDenied, i.Name, err)
	}
	return i.caller(token, verified)
}

// ready finds the issuer's keys. One that does not answer is left alone for a while.
func (i *issuer) ready(o *OIDC) (*oidc.IDTokenVerifier, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.verifier != nil:
		return i.verifier, nil
	case o.now().Before(i.retry):
		return nil, i.failed
	}
	// The provider keeps the context for fetching keys later.
	provider, err := oidc.NewProvider(oidc.ClientContext(context.Background(), o.client), i.URL)
	if err != nil {
		i.failed, i.retry = err, o.now().Add(5*time.Second)
		return nil, err
	}
	i.verifier = provider.Verifier(&oidc.Config{
		ClientID: i.Audience, SupportedSigningAlgs: algorithms,
		Now: func() time.Time { return o.now().Add(-i.Leeway) },
	})
	return i.verifier, nil
}

// unverifiedIssuer reads whom a token claims to come from, to know whose keys to ask.
func unverifiedIssuer(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("it is no JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", errors.New("it is no JWT")
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", errors.New("it is no JWT")
	}
	return claims.Issuer, nil
}

func (i *issuer) caller(token string, verified *oidc.IDToken) (*Caller, error) {
	var all map[string]any
	if err := verified.Claims(&all); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDenied, i.Name, err)
	}
	c := &Caller{Name: i.Name + ":" + verified.Subject, Issuer: i.Name, Claims: map[string]string{}, Expires: verified.Expiry.Add(i.Leeway)}
	for name, value := range all {
		switch v := value.(type) {
		case string:
			c.Claims[name] = v
		case bool:
			c.Claims[name] = strconv.FormatBool(v)
		case float64:
			c.Claims[name] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	id := c.Claims["jti"]
	if id == "" {
		id = token
	}
	sum := sha256.Sum256([]byte(i.URL + "\x00" + id))
	c.TokenID = hex.EncodeToString(sum[:])
	return c, nil
}
