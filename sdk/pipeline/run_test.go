package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

func ExampleDo() {
	run := pipeline.NewRun(pipeline.Options{})
	n, err := pipeline.Do(context.Background(), run, "count", func(context.Context) (int, error) { return 3, nil })
	fmt.Println(n, err)
	_, err = pipeline.Do(context.Background(), run, "check", func(context.Context) (int, error) {
		return 0, errors.New("three is not enough")
	})
	fmt.Println(err)
	for _, r := range run.Records() {
		fmt.Printf("%s: %q\n", r.Stage, r.Error)
	}
	// Output:
	// 3 <nil>
	// check: three is not enough
	// count: ""
	// check: "three is not enough"
}

func TestDoTimesTracesAndTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewInMemoryExporter()
		provider := trace.NewTracerProvider(trace.WithSyncer(spans))
		var events []pipeline.Event
		run := pipeline.NewRun(pipeline.Options{
			Tracer: provider.Tracer("test"),
			Events: func(e pipeline.Event) { events = append(events, e) },
		})
		boom := errors.New("boom")
		_, err := pipeline.Do(t.Context(), run, "outer", func(ctx context.Context) (int, error) {
			return pipeline.Do(ctx, run, "inner", func(context.Context) (int, error) {
				time.Sleep(2 * time.Second)
				run.Progress("inner", "half way")
				time.Sleep(time.Second)
				return 7, boom
			})
		})

		var stage *pipeline.Error
		if !errors.Is(err, boom) || !errors.As(err, &stage) || stage.Stage != "inner" {
			t.Errorf("the error is %v, want boom of the stage inner", err)
		}
		want := []pipeline.Event{
			{Stage: "outer", State: pipeline.Started},
			{Stage: "inner", State: pipeline.Started},
			{Stage: "inner", State: pipeline.Progressed, Message: "half way"},
			{Stage: "inner", State: pipeline.Failed, Duration: 3 * time.Second},
			{Stage: "outer", State: pipeline.Failed, Duration: 3 * time.Second},
		}
		if diff := cmp.Diff(want, events, cmpopts.IgnoreFields(pipeline.Event{}, "Time", "Err")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		var names []string
		for _, s := range spans.GetSpans() {
			names = append(names, s.Name)
			if s.Status.Code != codes.Error {
				t.Errorf("span %s has the status %v, want an error", s.Name, s.Status.Code)
			}
		}
		if diff := cmp.Diff([]string{"inner", "outer"}, names); diff != "" {
			t.Errorf("spans (-want +got):\n%s", diff)
		}
	})
}

func TestDoReturnsTheValueWithTheError(t *testing.T) {
	run := pipeline.NewRun(pipeline.Options{})
	n, err := pipeline.Do(t.Context(), run, "partly", func(context.Context) (int, error) { return 5, errors.New("rest is missing") })
	if n != 5 || err == nil {
		t.Errorf("got %d, %v; want 5 and an error", n, err)
	}
}

func TestDoDoesNotStartWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("somebody pressed Ctrl-C")
	cancel(why)
	_, err := pipeline.Do(ctx, pipeline.NewRun(pipeline.Options{}), "build", func(context.Context) (int, error) {
		t.Error("the stage ran")
		return 0, nil
	})
	if !errors.Is(err, why) {
		t.Errorf("the error is %v, want the cause of the cancellation", err)
	}
}

func TestRunIsSafeForConcurrentStages(t *testing.T) {
	n := 0 // guarded by the promise that events come one at a time
	run := pipeline.NewRun(pipeline.Options{Events: func(pipeline.Event) { n++ }})
	group, ctx := errgroup.WithContext(t.Context())
	for i := range 50 {
		group.Go(func() error {
			_, err := pipeline.Do(ctx, run, fmt.Sprint(i), func(context.Context) (int, error) { return i, nil })
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := len(run.Records()); got != 50 || n != 100 {
		t.Errorf("%d records and %d events, want 50 and 100", got, n)
	}
}
