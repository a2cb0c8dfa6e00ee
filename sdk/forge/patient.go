package forge

import (
	"context"
	"errors"
	"time"
)

// Patient waits when a forge wants to be left alone, and asks again, as long as that takes no longer than a limit.
type Patient struct {
	Forge
	// Max is how long one call may wait in all. Zero does not wait.
	Max time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Requests is the forge's.
func (p *Patient) Requests(ctx context.Context, proposal Proposal) ([]Request, error) {
	return patiently(ctx, p, func() ([]Request, error) { return p.Forge.Requests(ctx, proposal) })
}

// Create is the forge's.
func (p *Patient) Create(ctx context.Context, proposal Proposal) (Request, error) {
	return patiently(ctx, p, func() (Request, error) { return p.Forge.Create(ctx, proposal) })
}

// Update is the forge's.
func (p *Patient) Update(ctx context.Context, number int64, proposal Proposal) (Request, error) {
	return patiently(ctx, p, func() (Request, error) { return p.Forge.Update(ctx, number, proposal) })
}

func patiently[T any](ctx context.Context, p *Patient, ask func() (T, error)) (T, error) {
	now := p.Now
	if now == nil {
		now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	deadline := now().Add(p.Max)
	for {
		value, err := ask()
		limit, limited := errors.AsType[*RateLimitError](err)
		if !limited || limit.Until.After(deadline) {
			return value, err
		}
		timer := time.NewTimer(max(limit.Until.Sub(now()), time.Second))
		select {
		case <-ctx.Done():
			timer.Stop()
			return value, errors.Join(err, ctx.Err())
		case <-timer.C:
		}
	}
}
