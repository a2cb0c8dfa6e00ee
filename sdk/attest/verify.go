package attest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
)

// Verified is an image of which everything held that a policy asks.
type Verified struct {
	// Reference is the image by digest. Use this one from here on: a tag may have moved since.
	Reference string     `json:"reference"`
	Digest    v1.Hash    `json:"digest"`
	Manifests []Manifest `json:"manifests,omitempty"`
	// Statements are those that decided, for each digest and requirement one.
	Statements []Said `json:"statements"`
	// Provenance is that of Digest; nil with UnsafeNoProvenance.
	Provenance *provenance.Provenance `json:"provenance,omitempty"`
}

// Said is a statement and who signed it.
type Said struct {
	Digest        v1.Hash    `json:"digest"` // what it is about
	PredicateType string     `json:"predicateType"`
	By            Identity   `json:"by"`
	Made          time.Time  `json:"made,omitzero"`
	Statement     *Statement `json:"-"`
}

// ErrDenied is wrapped by every [*DeniedError].
var ErrDenied = errors.New("denied")

// DeniedError is an image that was looked at and does not do.
type DeniedError struct {
	Reference string
	// Reasons are all that is wrong with it, one a line.
	Reasons []string
}

// Error has all reasons.
func (e *DeniedError) Error() string {
	return e.Reference + ": denied: " + strings.Join(e.Reasons, "; ")
}

// Is makes it [ErrDenied].
func (e *DeniedError) Is(target error) bool { return target == ErrDenied }

// Verify says whether everything holds of an image that the policy asks: of the index, and of each platform's manifest in
// it. There is a result only if all held. The error is a [*DeniedError] when the answer is no, and another one when there
// is no answer; both deny.
//
// With a [Store] it costs the image's manifest and two round trips (the list of what refers to it; then all of that which
// matters, at once). With [Cached] it costs nothing but the check of the signatures while the cache remembers.
func Verify(ctx context.Context, source Source, ref string, policy Policy) (*Verified, error) {
	c, err := policy.compile()
	if err != nil {
		return nil, err
	}
	image, err := source.Image(ctx, ref)
	if err != nil {
		return nil, err
	}
	bundles, err := source.Bundles(ctx, image, c.types)
	if err != nil {
		return nil, err
	}
	trusted, ignored, err := c.trusted(ctx, bundles)
	if err != nil {
		return nil, err
	}
	out := &Verified{Reference: image.Reference(), Digest: image.Digest, Manifests: image.Manifests}
	denied := &DeniedError{Reference: image.Reference()}
	deny := func(digest v1.Hash, name, why string) {
		denied.Reasons = append(denied.Reasons, image.what(digest)+": "+name+": "+why)
	}
	for _, digest := range image.Digests() {
		if !c.UnsafeNoProvenance {
			said, origin, why := c.origin(trusted, digest)
			if why != "" {
				deny(digest, "provenance", why)
			} else {
				out.Statements = append(out.Statements, said)
			}
			if digest == image.Digest {
				out.Provenance = origin
			}
		}
		for _, r := range c.required {
			said, why := c.decide(r, trusted, digest)
			if why != "" {
				deny(digest, r.Name, why)
				continue
			}
			out.Statements = append(out.Statements, said)
		}
	}
	if len(denied.Reasons) > 0 {
		denied.Reasons = append(denied.Reasons, ignored...)
		return nil, denied
	}
	return out, nil
}

// candidate is a statement that somebody trusted has signed.
type candidate struct {
	statement *Statement
	by        Identity
}

// trusted returns the statements of those who are trusted, and in words what was left out.
func (c *compiled) trusted(ctx context.Context, bundles []*Bundle) (list []candidate, ignored []string, err error) {
	seen := map[string]int{}
	for _, b := range bundles {
		by, err := c.Trust.Verify(ctx, b, c.At)
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		var statement *Statement
		if err == nil {
			statement, err = b.UnverifiedStatement() // it is verified now
		}
		if err != nil {
			seen[err.Error()]++
			if seen[err.Error()] == 1 {
				ignored = append(ignored, "ignored a statement: "+err.Error())
			}
			continue
		}
		list = append(list, candidate{statement: statement, by: by})
	}
	return list, ignored, nil
}

const noStatement = "there is none by anyone trusted"

// origin returns provenance of a digest that the policy accepts, or why there is none. One is enough: that somebody else
// has built the same thing does not make it worse.
func (c *compiled) origin(trusted []candidate, digest v1.Hash) (said Said, origin *provenance.Provenance, why string) {
	why = noStatement
	for _, t := range trusted {
		if t.statement.PredicateType != provenance.Type || !t.statement.About(digest) {
			continue
		}
		p, err := provenance.Parse(t.statement.Predicate)
		if err != nil {
			why = fmt.Sprintf("that of %s can't be understood: %s", t.by, clip(err.Error()))
			continue
		}
		if why = c.provenance(p); why == "" {
			return t.said(digest, p.RunDetails.Metadata.Finished), p, ""
		}
	}
	return Said{}, nil, why
}

// decide returns the newest statement that meets a requirement about a digest, or why there is none. Of two of the same
// time the one that denies counts.
func (c *compiled) decide(r Requirement, trusted []candidate, digest v1.Hash) (newest Said, why string) {
	why = noStatement
	for _, t := range trusted {
		if t.statement.PredicateType != r.Type || !t.statement.About(digest) {
			continue
		}
		made, insufficient, err := r.Check(t.statement.Predicate)
		if err != nil { // it may be newer than all others
			return Said{}, fmt.Sprintf("that of %s can't be understood: %s", t.by, clip(err.Error()))
		}
		if age := c.At.Sub(made); insufficient == "" && r.MaxAge > 0 && age > r.MaxAge {
			insufficient = fmt.Sprintf("it is of %s, and may be at most %s old", made.UTC().Format(time.RFC3339), r.MaxAge)
		}
		first := newest.Statement == nil
		if first || made.After(newest.Made) || made.Equal(newest.Made) && insufficient != "" {
			newest, why = t.said(digest, made), insufficient
		}
	}
	return newest, why
}

func (t candidate) said(digest v1.Hash, made time.Time) Said {
	return Said{Digest: digest, PredicateType: t.statement.PredicateType, By: t.by, Made: made, Statement: t.statement}
}
