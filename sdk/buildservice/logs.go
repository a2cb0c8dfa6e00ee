package buildservice

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/internal/store"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

// logs is the store as package feed wants it.
type logs struct{ *store.Store }

// End implements feed.Source.
func (l logs) End(ctx context.Context, id string) (api.End, bool, error) {
	b, err := l.Get(ctx, id)
	if err != nil {
		return api.End{}, false, err
	}
	return api.End{State: b.State, Reason: b.Reason, Reference: b.Reference}, b.State.Final(), nil
}

// The limits of a run's log: beyond them a line is cut, and further ones are counted only.
const (
	maxLogLine  = 8 << 10
	maxLogLines = 50_000
)

// logger writes the log of one run, some lines at a time.
type logger struct {
	service *Service
	build   string
	closing chan struct{}
	closed  chan struct{}

	mu      sync.Mutex
	buffer  []api.Line
	partial map[string][]byte // output of steps that does not end with a newline yet
	count   int
	dropped int
}

func newLogger(s *Service, id string) *logger {
	l := &logger{service: s, build: id, closing: make(chan struct{}), closed: make(chan struct{}), partial: map[string][]byte{}}
	go l.run()
	return l
}

// line adds a line, or several.
func (l *logger) line(stage, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for part := range strings.Lines(text) {
		l.add(stage, strings.TrimRight(part, "\r\n"))
	}
}

func (l *logger) add(stage, text string) {
	if l.count++; l.count > maxLogLines {
		l.dropped++
		return
	}
	if len(text) > maxLogLine {
		text = text[:maxLogLine] + " ... (cut)"
	}
	// What is no UTF-8 or has zero bytes, PostgreSQL would not take.
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	l.buffer = append(l.buffer, api.Line{Time: l.service.opts.Now(), Stage: stage, Text: text})
}

// event writes what a stage does.
func (l *logger) event(e pipeline.Event) {
	switch e.State {
	case pipeline.Progressed:
		l.line(e.Stage, e.Message)
	case pipeline.Done:
		l.line(e.Stage, "done in "+e.Duration.Round(time.Millisecond).String())
	case pipeline.Failed:
		l.line(e.Stage, fmt.Sprintf("failed after %s: %v", e.Duration.Round(time.Millisecond), e.Err))
	case pipeline.Started:
	}
}

// progress writes the output of a builder's steps.
func (l *logger) progress(next func(build.Event)) func(build.Event) {
	return func(e build.Event) {
		if next != nil {
			next(e)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		text := append(l.partial[e.Step], e.Log...)
		for {
			line, rest, ended := bytes.Cut(text, []byte("\n"))
			if !ended && len(text) < maxLogLine {
				break
			}
			l.add("build", string(bytes.TrimRight(line, "\r")))
			text = rest
		}
		if l.partial[e.Step] = text; len(text) == 0 || e.State == "done" || e.State == "error" {
			if len(text) > 0 {
				l.add("build", string(text))
			}
			delete(l.partial, e.Step)
		}
	}
}

func (l *logger) run() {
	defer close(l.closed)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.flush(context.Background())
		case <-l.closing:
			return
		}
	}
}

// flush writes what is there; what can't be written now is kept for the next time.
func (l *logger) flush(ctx context.Context) bool {
	l.mu.Lock()
	lines := l.buffer
	l.buffer = nil
	l.mu.Unlock()
	if len(lines) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := l.service.store.Log(ctx, l.build, lines); err != nil {
		l.mu.Lock()
		l.buffer = append(lines, l.buffer...)
		l.mu.Unlock()
		return l.service.closed(err)
	}
	l.service.feeds.Wrote(l.build)
	return true
}

// close writes the rest and a last line. The log is complete when it returns.
func (l *logger) close(ctx context.Context, last string) {
	close(l.closing)
	<-l.closed
	if l.dropped > 0 {
		l.count = 0
		l.line("", fmt.Sprintf("... and %d lines more, which are not kept", l.dropped))
	}
	l.count = 0
	l.line("", last)
	for wait := 50 * time.Millisecond; !l.flush(ctx); wait = min(2*wait, 2*time.Second) {
		time.Sleep(wait)
	}
}
