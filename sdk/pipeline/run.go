// Package pipeline composes stages into pipelines, in ordinary Go, and has the ready-made one. A stage is a plain Go function with typed input and output, a pipeline a Go function
// that calls stages and passes values in variables; [Do] gives a stage its name in errors, a span, progress events, a
// duration and a record that ends up in the provenance. There is no graph and no registry of stages here: order is the
// order of the code, and independent stages run under errgroup.
//
// [Delivery] is the ready-made pipeline from a commit to a published image. Copy it and change it when a team needs
// another order.
package pipeline

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Options of a [Run]. The zero value is useful.
type Options struct {
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Tracer makes a span for each stage. Default: none.
	Tracer trace.Tracer
	// Events receives what happens, one call at a time and in order. It must not block for long. Default: nobody listens.
	Events func(Event)
}

// Run is one execution of a pipeline: it collects the records of the stages. It is safe for concurrent use.
type Run struct {
	now    func() time.Time
	tracer trace.Tracer

	mu      sync.Mutex
	events  func(Event)
	records []Record
}

// NewRun starts an execution.
func NewRun(opts Options) *Run {
	r := &Run{now: opts.Now, tracer: opts.Tracer, events: opts.Events}
	if r.now == nil {
		r.now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	if r.tracer == nil {
		r.tracer = noop.Tracer{}
	}
	if r.events == nil {
		r.events = func(Event) {}
	}
	return r
}

// State is what an [Event] says of its stage.
type State string

// The states of a stage. A stage has one Started, any number of Progressed and then either Done or Failed.
const (
	Started    State = "started"
	Progressed State = "progressed"
	Done       State = "done"
	Failed     State = "failed"
)

// Event is something that happened in a stage.
type Event struct {
	Stage string    `json:"stage"`
	State State     `json:"state"`
	Time  time.Time `json:"time"`
	// Message is one line of progress, for Progressed.
	Message string `json:"message,omitempty"`
	// Duration is set for Done and Failed.
	Duration time.Duration `json:"duration,omitempty"`
	// Err is set for Failed.
	Err error `json:"-"`
}

// Record is what remains of a stage.
type Record struct {
	Stage    string        `json:"stage"`
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"duration"`
	// Error is the error's text; empty when the stage succeeded.
	Error string `json:"error,omitempty"`
}

// Error is a stage that failed.
type Error struct {
	Stage string
	Err   error
}

// Error is the stage's name and the error's text.
func (e *Error) Error() string { return e.Stage + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Records returns the records of the stages that have ended, in the order in which they ended.
func (r *Run) Records() []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.records)
}

// Progress tells the listener one line about a running stage.
func (r *Run) Progress(stage, message string) {
	r.emit(Event{Stage: stage, State: Progressed, Time: r.now(), Message: message})
}

func (r *Run) emit(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events(e)
}

// Do runs one stage: a function under a name. A failure comes back as an [*Error] that names the (innermost) stage. The
// value is returned with the error, so that a stage can fail and still tell what it found. When ctx has ended, the stage
// does not start.
func Do[T any](ctx context.Context, r *Run, stage string, f func(context.Context) (T, error)) (T, error) {
	started := r.now()
	ctx, span := r.tracer.Start(ctx, stage)
	defer span.End()
	r.emit(Event{Stage: stage, State: Started, Time: started})

	var value T
	err := context.Cause(ctx)
	if err == nil {
		value, err = f(ctx)
	}

	ended := r.now()
	record := Record{Stage: stage, Started: started, Duration: ended.Sub(started)}
	event := Event{Stage: stage, State: Done, Time: ended, Duration: record.Duration}
	if err != nil {
		record.Error = err.Error()
		if _, named := errors.AsType[*Error](err); !named {
			err = &Error{Stage: stage, Err: err}
		}
		span.SetStatus(codes.Error, err.Error())
		event.State, event.Err = Failed, err
	}
	r.mu.Lock()
	r.records = append(r.records, record)
	r.mu.Unlock()
	r.emit(event)
	return value, err
}
