package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/distribution"
)

// RunOptions of an agent. The zero value is useful.
type RunOptions struct {
	// Every is how often the remote is asked, give or take a tenth so that a fleet does not ask at once. Default 1m.
	Every time.Duration
	// Log receives new versions and failures. Nil discards.
	Log *slog.Logger
}

// Agent fetches bundles into a store. It is safe for concurrent use.
type Agent struct {
	store  *Store
	remote distribution.Remote
	opts   RunOptions

	mu      sync.Mutex
	lastErr error
	errors  uint64
}

// New returns an agent.
func New(store *Store, remote distribution.Remote, opts RunOptions) *Agent {
	if opts.Every <= 0 {
		opts.Every = time.Minute
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Agent{store: store, remote: remote, opts: opts}
}

// Pull asks the remote once and adopts what is newer. It says whether there was something.
func (a *Agent) Pull(ctx context.Context) (changed bool, err error) {
	changed, err = a.pull(ctx)
	if err != nil {
		err = errors.Join(err, a.store.Touch(ctx, false)) // time passes also without a remote
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lastErr = err; err != nil {
		a.errors++
	}
	return changed, err
}

func (a *Agent) pull(ctx context.Context) (bool, error) {
	var have *bundle.Bundle
	if held, err := a.store.Current(ctx); err == nil {
		have = held.Bundle
	}
	update, err := distribution.Fetch(ctx, a.remote, have, a.store.opts.Verifier)
	if err != nil {
		return false, err
	}
	if update == nil {
		return false, a.store.Touch(ctx, true)
	}
	b, err := a.store.Adopt(ctx, update.Data)
	if err != nil {
		return false, err
	}
	h := b.Header()
	a.opts.Log.Info("new deny bundle", "name", h.Name, "version", h.Version, "denied", h.Denied, "expires", h.Expires, "read", update.Read)
	return true, nil
}

// Run pulls until the context ends, and then returns nil. Failures are logged and tried again, at the latest after the
// time between two pulls.
func (a *Agent) Run(ctx context.Context) error {
	for wait := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = a.opts.Every + time.Duration((rand.Float64()-0.5)*0.2*float64(a.opts.Every)) //nolint:gosec // to spread load
		if _, err := a.Pull(ctx); err != nil && ctx.Err() == nil {
			a.opts.Log.Warn("the deny bundle could not be brought up to date", "error", err)
		}
	}
}

// Status says what an agent has, for people and monitoring.
type Status struct {
	Name    string    `json:"name"`
	Version uint64    `json:"version"` // 0: none
	Records int       `json:"records"`
	Denied  int       `json:"denied"`
	Issued  time.Time `json:"issued,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	// Fetched is when the remote last said what the newest is.
	Fetched time.Time `json:"fetched,omitzero"`
	// Stale is how long ago that was, in seconds; Expired whether gates go by their policy for that.
	Stale   float64 `json:"staleSeconds"`
	Expired bool    `json:"expired"`
	// ClockBehind is by how much the clock is behind a time that was seen, in seconds.
	ClockBehind float64 `json:"clockBehindSeconds"`
	// Errors counts failed pulls of this process, LastError is of the last pull.
	Errors    uint64 `json:"errors"`
	LastError string `json:"lastError,omitempty"`
}

// Status returns the present one.
func (a *Agent) Status(ctx context.Context) Status {
	s := a.store.Status(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	s.Errors = a.errors
	if a.lastErr != nil {
		s.LastError = a.lastErr.Error()
	}
	return s
}

// Status says what the store has. LastError is why there is no bundle.
func (s *Store) Status(ctx context.Context) Status {
	held, err := s.Current(ctx)
	st := Status{Name: s.opts.Name}
	if err != nil {
		st.LastError = err.Error()
		return st
	}
	h, now := held.Bundle.Header(), s.opts.Now()
	st.Version, st.Records, st.Denied, st.Issued, st.Expires = h.Version, h.Records, h.Denied, h.Issued, h.Expires
	if behind := held.Mark.Sub(now); behind > 0 {
		st.ClockBehind, now = behind.Seconds(), held.Mark
	}
	if remembered, err := s.readState(); err == nil && !remembered.Fetched.IsZero() {
		st.Fetched = remembered.Fetched
		st.Stale = max(0, now.Sub(remembered.Fetched).Seconds())
	}
	st.Expired = !now.Before(h.Expires)
	return st
}

// String is one line for people.
func (s Status) String() string {
	if s.Version == 0 {
		return fmt.Sprintf("%s: no deny bundle: %s", s.Name, s.LastError)
	}
	line := fmt.Sprintf("%s: version %d, %d digests denied of %d, expires %s", s.Name, s.Version, s.Denied, s.Records, s.Expires.Format(time.RFC3339))
	switch {
	case s.Expired:
		line += ", EXPIRED"
	case !s.Fetched.IsZero():
		line += fmt.Sprintf(", asked %s ago", time.Duration(s.Stale*float64(time.Second)).Round(time.Second))
	}
	if s.ClockBehind > 0 {
		line += fmt.Sprintf(", the clock is %.0f s behind", s.ClockBehind)
	}
	if s.LastError != "" {
		line += ": " + s.LastError
	}
	return line
}
