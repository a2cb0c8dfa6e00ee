package buildservice

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/internal/store"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

// Why a run was stopped from outside.
var errDraining = errors.New("the service stops")

type cancelledError struct{ by string }

func (e *cancelledError) Error() string { return e.by }

type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("it took longer than %s", e.after) }

// work does one run of a build, from the queue.
func (s *Service) work(ctx context.Context, id string, number int64) {
	run, err := s.store.Begin(ctx, id, number, s.worker)
	if err != nil {
		// A run that nobody began is released again.
		if !errors.Is(err, store.ErrLost) {
			s.log.WarnContext(ctx, "a build could not be begun", "build", id, "error", err)
		}
		return
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ctx, cancel := context.WithTimeoutCause(ctx, s.opts.Timeout, &timeoutError{s.opts.Timeout})
	defer cancel()
	s.register(id, stop)
	defer s.nudge() // there is room for another
	defer s.register(id, nil)

	ctx, span := s.span(ctx, run)
	defer span.End()
	log := newLogger(s, run.ID)
	log.line("", fmt.Sprintf("run %d on %s", run.Run, run.Request.Commit))
	began := s.opts.Now()
	delivered, err := s.deliver(ctx, run, log)
	s.finish(ctx, run, log, delivered, err)
	s.metrics.ran(run.Project, s.opts.Now().Sub(began))
}

func (s *Service) register(id string, stop context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stop == nil {
		delete(s.running, id)
		return
	}
	s.running[id] = stop
}

// span continues the trace of the request that asked for the build.
func (s *Service) span(ctx context.Context, run *store.Run) (context.Context, trace.Span) {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": run.Trace})
	return s.opts.Tracer.Start(ctx, "build", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("plimsoll.build", run.ID), attribute.String("plimsoll.project", run.Project),
		attribute.String("vcs.repository.url.full", run.Request.Repository), attribute.String("vcs.ref.head.revision", run.Request.Commit)))
}

// deliver runs the pipeline for a build.
func (s *Service) deliver(ctx context.Context, run *store.Run, log *logger) (out *pipeline.Delivered, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			s.log.ErrorContext(ctx, "a build met an error of the service", "build", run.ID, "panic", broken, "stack", string(debug.Stack()))
			err = errors.New("an error of the service, which its log has: tell Ops")
		}
	}()
	project, err := s.project(run.Project)
	if err != nil {
		return nil, err
	}
	request, err := project.clean(run.Request)
	if err != nil {
		return nil, fmt.Errorf("the configuration has changed: %w", err)
	}
	delivery, err := s.opts.Delivery(ctx, project.Name)
	if err != nil {
		return nil, err
	}
	registry, ok := delivery.Registry.(Registry)
	if !ok {
		return nil, fmt.Errorf("a %T is no registry for the build service", delivery.Registry)
	}
	dir := filepath.Join(s.opts.Dir, "runs", fmt.Sprintf("%s-%d", run.ID, run.Run))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	order := pipeline.Order{
		Repository: project.Repository, Ref: request.Commit,
		Load:      source.Options{Dir: request.Directory, Dockerfile: request.Dockerfile, Auth: project.Auth, CacheDir: filepath.Join(dir, "git")},
		Labels:    project.Labels,
		Platforms: request.Platforms, Target: request.Target, Args: request.Args, Network: project.Network,
		Layout: filepath.Join(dir, "layout"), Tags: request.Tags, Invocation: run.ID,
	}
	if order.Publish, err = project.publish(request); err != nil {
		return nil, err
	}
	if project.Secrets != nil {
		if order.Secrets, err = project.Secrets(ctx); err != nil {
			return nil, fmt.Errorf("the project's secrets: %w", err)
		}
	}
	a := &attempt{Registry: registry, builder: delivery.Builder, lease: &s.lease, run: run, order: order, scope: project.Cache, log: log}
	delivery.Registry, delivery.Builder = a, a
	stages := pipeline.NewRun(pipeline.Options{Now: s.opts.Now, Tracer: s.opts.Tracer, Events: func(e pipeline.Event) {
		log.event(e)
		if e.State == pipeline.Started {
			if err := run.InStage(ctx, e.Stage); err != nil && !errors.Is(err, store.ErrLost) {
				s.log.DebugContext(ctx, "the stage is not recorded", "build", run.ID, "error", err)
			}
		}
		if e.State == pipeline.Done || e.State == pipeline.Failed {
			s.metrics.stage(e.Stage, e.Duration)
		}
	}})
	return delivery.Run(ctx, stages, order)
}

// project finds a project by its name.
func (s *Service) project(name string) (*Project, error) {
	for i := range s.projects {
		if s.projects[i].Name == name {
			return &s.projects[i], nil
		}
	}
	return nil, fmt.Errorf("the project %s is not in the configuration any more", name)
}

// finish records how a run ended. The database is asked until it answers: a build that is over must not look as if it ran.
func (s *Service) finish(ctx context.Context, run *store.Run, log *logger, delivered *pipeline.Delivered, err error) {
	cause := context.Cause(ctx)
	ctx = context.WithoutCancel(ctx)
	end, again := ending(delivered, err, cause)
	end.Result = record(delivered)
	switch {
	case errors.Is(err, store.ErrLost) || errors.Is(cause, store.ErrLost):
		log.close(ctx, "another worker goes on with this build")
		return
	case errors.Is(cause, errDraining):
		log.close(ctx, "the worker stops; the build is begun again")
		s.persist(ctx, run.ID, func(ctx context.Context) error { return run.Return(ctx) })
		return
	case again:
		log.close(ctx, "a fault that may pass: "+end.Reason)
		s.persist(ctx, run.ID, func(ctx context.Context) error {
			ended, err := run.Again(ctx, end, s.wait, s.opts.Attempts)
			if again = !ended; ended {
				end.State = api.Failed
			}
			return err
		})
	default:
		text := string(end.State)
		if end.Reason != "" {
			text += ": " + end.Reason
		}
		if end.Reference != "" {
			text += ": " + end.Reference
		}
		log.close(ctx, text)
		s.audit(ctx, audit.Event{
			Actor: "build-service", Action: "build.end", Object: "build/" + run.ID, Outcome: outcome(end.State),
			Detail: map[string]string{"project": run.Project, "state": string(end.State), "reference": end.Reference, "reason": firstLine(end.Reason)},
		})
		s.persist(ctx, run.ID, func(ctx context.Context) error { return run.End(ctx, end) })
	}
	s.feeds.Wrote(run.ID)
	if !again {
		s.metrics.ended(run.Project, end.State)
		s.log.InfoContext(ctx, "build ended", "build", run.ID, "project", run.Project, "state", end.State, "reference", end.Reference, "reason", firstLine(end.Reason))
	}
}

func outcome(state api.State) audit.Outcome {
	switch state {
	case api.Succeeded:
		return audit.Done
	case api.Refused:
		return audit.Denied
	default:
		return audit.Failed
	}
}

// wait is how long a build waits after a number of faults.
func (s *Service) wait(faults int) time.Duration {
	return min(s.opts.Backoff<<min(faults, 20), 5*time.Minute)
}

// persist calls f until it worked, there is nothing more to record, or the process is about to end anyway.
func (s *Service) persist(ctx context.Context, id string, f func(context.Context) error) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		try, cancel := context.WithTimeout(ctx, 20*time.Second)
		err := f(try)
		cancel()
		if err == nil || errors.Is(err, store.ErrLost) || s.closed(err) {
			return
		}
		s.log.WarnContext(ctx, "how a build ended could not be recorded; it is tried again", "build", id, "error", err)
		time.Sleep(wait)
	}
}

// closed says whether an error comes of the database being closed by this process.
func (s *Service) closed(err error) bool {
	return errors.Is(err, os.ErrClosed) || err.Error() == "sql: database is closed" || err.Error() == "closed pool"
}

// audit writes to the audit log what was done already.
func (s *Service) audit(ctx context.Context, event audit.Event) {
	if _, err := s.opts.Audit.Append(event); err != nil {
		s.log.ErrorContext(ctx, "not in the audit log", "action", event.Action, "object", event.Object, "error", err)
	}
}
