package admission

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// Evidence says whether an image has what the policy demands: provenance of the organisation's own builder, verdicts of
// its tests. Package evidence asks package attest. Implementations are safe for concurrent use.
type Evidence interface {
	// Check returns nil if all that is demanded is there and verified. Every error denies.
	Check(ctx context.Context, image Image) error
}

// EvidenceFunc is a function that is [Evidence].
type EvidenceFunc func(ctx context.Context, image Image) error

// Check calls the function.
func (f EvidenceFunc) Check(ctx context.Context, image Image) error { return f(ctx, image) }

// Cached asks once for each image and remembers the answer: what was verified for keep (an attestation does not become
// untrue; 0 means 24h), what was not for a tenth of a second, so that a storm of starts asks once.
func Cached(e Evidence, keep time.Duration, now func() time.Time) Evidence {
	if keep <= 0 {
		keep = 24 * time.Hour
	}
	return &cache{inner: e, keep: keep, now: now, known: map[string]*verified{}}
}

type cache struct {
	inner Evidence
	keep  time.Duration
	now   func() time.Time

	mu    sync.Mutex
	known map[string]*verified
}

type verified struct {
	mu    sync.Mutex // held by who asks
	until time.Time
	err   error
}

const (
	maxVerified = 1 << 16
	keepFailed  = 100 * time.Millisecond
)

func (c *cache) Check(ctx context.Context, image Image) error {
	v := c.entry(image)
	v.mu.Lock()
	defer v.mu.Unlock()
	if c.now().Before(v.until) {
		return v.err
	}
	v.err = c.inner.Check(ctx, image)
	keep := c.keep
	switch {
	case ctx.Err() != nil:
		keep = 0 // this caller went away, which says nothing to the next
	case v.err != nil:
		keep = keepFailed
	}
	v.until = c.now().Add(keep)
	return v.err
}

// entry is of an image with exactly these digests: one that shares a config with another need not share its evidence.
func (c *cache) entry(image Image) *verified {
	digests := slices.Sorted(slices.Values(image.all()))
	key := strings.Join(digests, " ")
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.known[key]
	if !ok {
		if len(c.known) >= maxVerified {
			clear(c.known)
		}
		v = &verified{}
		c.known[key] = v
	}
	return v
}
