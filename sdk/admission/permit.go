package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
)

// PermitType is the payload type of a permit's envelope. It must be trusted of other keys than the bundle's, or of the
// same ones by intent.
const PermitType = "application/vnd.plimsoll.break-glass.v1+json"

// Permit is a break-glass permit: it lets images start that a gate would deny. It names digests, never tags, and ends
// soon.
type Permit struct {
	ID string `json:"id"`
	// Digests are the images, by any of their digests.
	Digests []string `json:"digests"`
	// Gates are the names of the gates that it is for. Default: all.
	Gates []string `json:"gates,omitempty"`
	// Reason, Author and Approver are for those who ask later. All are required, and the approver is another person.
	Reason   string `json:"reason"`
	Author   string `json:"author"`
	Approver string `json:"approver"`
	// From and Until are when it holds. Both are required, and no further apart than the policy's PermitLimit.
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// Permits gives a gate the permits that are at hand, their signatures verified. It is asked when something is denied.
type Permits interface {
	Permits(ctx context.Context) ([]Permit, error)
}

// PermitList is [Permits] that are fixed.
type PermitList []Permit

// Permits returns the list.
func (l PermitList) Permits(context.Context) ([]Permit, error) { return l, nil }

// Sign puts the permit into a signed envelope, for a file.
func (p Permit) Sign(ctx context.Context, signer bundle.Signer) ([]byte, error) {
	if err := p.check(0); err != nil {
		return nil, err
	}
	payload, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return signer.Sign(ctx, PermitType, payload)
}

// OpenPermit verifies an envelope and returns the permit in it.
func OpenPermit(ctx context.Context, envelope []byte, verifier bundle.Verifier) (Permit, error) {
	payload, err := verifier.Verify(ctx, PermitType, envelope)
	if err != nil {
		return Permit{}, fmt.Errorf("the signature of a permit: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	var p Permit
	if err := dec.Decode(&p); err != nil {
		return Permit{}, fmt.Errorf("a permit: %w", err)
	}
	return p, p.check(0)
}

// check says what is wrong with a permit; limit is the longest time, 0 for any.
func (p Permit) check(limit time.Duration) error {
	var problem string
	switch long := p.Until.Sub(p.From); {
	case p.ID == "":
		problem = "it has no id"
	case len(p.Digests) == 0:
		problem = "it names no digests"
	case p.Reason == "" || p.Author == "" || p.Approver == "":
		problem = "it needs a reason, an author and an approver"
	case p.Author == p.Approver:
		problem = "its author approved it"
	case p.From.IsZero() || p.Until.IsZero() || long <= 0:
		problem = "it needs a from and a later until"
	case limit > 0 && long > limit:
		problem = fmt.Sprintf("it is for %s, and the policy allows %s at most", long, limit)
	}
	if problem != "" {
		return fmt.Errorf("permit %q: %s", p.ID, problem)
	}
	for _, d := range p.Digests {
		if _, err := bundle.ParseKey(d); err != nil {
			return fmt.Errorf("permit %q: %w", p.ID, err)
		}
	}
	return nil
}

// covers says whether a permit is for the image, here and now; err why it can't be used although it names the image.
func (p Permit) covers(image Image, gate string, at time.Time, limit time.Duration) (bool, error) {
	named := slices.ContainsFunc(image.all(), func(d string) bool { return slices.Contains(p.Digests, d) })
	if !named {
		return false, nil
	}
	if err := p.check(limit); err != nil {
		return false, err
	}
	switch {
	case len(p.Gates) > 0 && !slices.Contains(p.Gates, gate):
		return false, fmt.Errorf("permit %q: it is for other gates than %q", p.ID, gate)
	case at.Before(p.From) || !at.Before(p.Until):
		return false, fmt.Errorf("permit %q: it holds from %s until %s", p.ID, p.From.Format(time.RFC3339), p.Until.Format(time.RFC3339))
	}
	return true, nil
}

// breakGlass lets a denied image start if there is a permit for it.
func (j *judgement) breakGlass(ctx context.Context) {
	opts := j.gate.opts
	if opts.Permits == nil || len(j.Image.all()) == 0 {
		return
	}
	permits, err := opts.Permits.Permits(ctx)
	if err != nil {
		j.find(RulePermitBad, Denied, "", "permits can't be read: %v", err)
	}
	var problems []error
	for _, p := range permits {
		ok, err := p.covers(j.Image, opts.Name, j.At, j.policy.PermitLimit)
		if ok && opts.Recorder == nil {
			ok, err = false, fmt.Errorf("permit %q: this gate keeps no record, so it can't be used", p.ID)
		}
		if ok {
			j.Permit, j.denied = p.ID, false
			j.find(RulePermit, Warned, "", "permit %s of %s, approved by %s, until %s: %s", p.ID, p.Author, p.Approver, p.Until.Format(time.RFC3339), p.Reason)
			return
		}
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		j.find(RulePermitBad, Denied, "", "%v", err)
	}
}
