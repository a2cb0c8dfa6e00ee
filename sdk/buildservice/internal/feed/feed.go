// Package feed lets many follow one build's log: the lines are read from the store once, whoever wrote them on whichever
// host, and every follower takes them from there at its own pace.
package feed

import (
	"context"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
)

// Source is where logs come from; *store.Store with [End] is one.
type Source interface {
	Lines(ctx context.Context, build string, after int64, limit int) ([]api.Line, error)
	// End returns how a build ended, and false while it has not.
	End(ctx context.Context, build string) (api.End, bool, error)
}

// Feeds are the logs that somebody follows. It is safe for concurrent use.
type Feeds struct {
	source Source
	every  time.Duration

	mu   sync.Mutex
	open map[string]*feed
}

// New makes feeds that look for lines of other hosts at least so often.
func New(source Source, every time.Duration) *Feeds {
	return &Feeds{source: source, every: every, open: map[string]*feed{}}
}

// feed is one log: its lines so far, shared by all that follow it.
type feed struct {
	followers int
	stop      context.CancelFunc
	wake      chan struct{} // somebody wrote

	mu      sync.Mutex
	lines   []api.Line // from number 1 on, without gaps
	end     *api.End
	err     error
	changed chan struct{} // closed when one of the above does
}

// Wrote says that this process wrote lines of a build, or ended it.
func (f *Feeds) Wrote(build string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if open := f.open[build]; open != nil {
		select {
		case open.wake <- struct{}{}:
		default:
		}
	}
}

// Followers counts who follows.
func (f *Feeds) Followers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, open := range f.open {
		n += open.followers
	}
	return n
}

// Follow gives the lines of a build after a number to send, some at a time, and at last how it ended. It calls send with
// nothing when nothing came for a while (idle), so that a dead connection is noticed. An error of send ends it.
func (f *Feeds) Follow(ctx context.Context, build string, after int64, idle time.Duration, send func([]api.Line, *api.End) error) error {
	open := f.join(build)
	defer f.leave(build, open)
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for next := max(after, 0); ; {
		open.mu.Lock()
		var lines []api.Line
		if int(next) < len(open.lines) {
			lines = open.lines[next:] // appended to, never changed
		}
		end, err, changed := open.end, open.err, open.changed
		open.mu.Unlock()
		switch {
		case len(lines) > 0:
			next += int64(len(lines))
			if err := send(lines, nil); err != nil {
				return err
			}
			continue
		case end != nil:
			return send(nil, end)
		case err != nil:
			return err
		}
		timer.Reset(idle)
		select {
		case <-changed:
		case <-timer.C:
			if err := send(nil, nil); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (f *Feeds) join(build string) *feed {
	f.mu.Lock()
	defer f.mu.Unlock()
	open := f.open[build]
	if open == nil {
		ctx, stop := context.WithCancel(context.Background())
		open = &feed{stop: stop, wake: make(chan struct{}, 1), changed: make(chan struct{})}
		f.open[build] = open
		go open.read(ctx, f.source, build, f.every)
	}
	open.followers++
	return open
}

func (f *Feeds) leave(build string, open *feed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if open.followers--; open.followers == 0 {
		open.stop()
		delete(f.open, build)
	}
}

// read brings lines until the build has ended and all of them are there. A store that does not answer is asked again:
// followers wait and miss nothing.
func (o *feed) read(ctx context.Context, source Source, build string, every time.Duration) {
	const page = 1000
	tick := time.NewTicker(every)
	defer tick.Stop()
	for last := int64(0); ; {
		end, over, err := source.End(ctx, build) // before the lines: none come after the end
		lines := []api.Line{}
		if err == nil {
			lines, err = source.Lines(ctx, build, last, page)
		}
		last += int64(len(lines))
		full := len(lines) == page
		o.mu.Lock()
		o.lines = append(o.lines, lines...)
		if err == nil && over && !full {
			o.end = &end
		}
		done := o.end != nil
		if len(lines) > 0 || done {
			close(o.changed)
			o.changed = make(chan struct{})
		}
		o.mu.Unlock()
		if done {
			return
		}
		if full {
			continue
		}
		select {
		case <-o.wake:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
