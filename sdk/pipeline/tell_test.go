package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

func TestDeliveryTellsOfMoves(t *testing.T) {
	s, d, order := open(t)
	var events []notify.Event
	d.Notifier = notify.Func(func(_ context.Context, e notify.Event) error { events = append(events, e); return nil })
	order.Publish, order.Labels = "", map[string]string{"team": "pay"}
	for i := range 2 {
		order.Layout = s.dir + "/layout" + string(rune('0'+i))
		got, err := run(t, d, order)
		if err != nil || got.Move == nil || got.Untold != "" {
			t.Fatalf("%+v %v", got, err)
		}
	}
	if len(events) != 2 || events[0].ID != events[1].ID {
		t.Fatalf("the same move is other news: %+v", events)
	}
	e := events[0]
	if want := s.at("app is built on HOST/base/demo:1.4.9 instead of HOST/base/demo:1.4.8"); !strings.HasSuffix(e.Title, want) {
		t.Errorf("%q", e.Title)
	}
	if want := s.at("-FROM HOST/base/demo:1.4.8\n+FROM HOST/base/demo:1.4.9\n"); !strings.Contains(e.Patch, want) {
		t.Errorf("%s", e.Patch)
	}
	if e.Kind != notify.BaseMoved || e.Ask != "base-images@example.com" || e.Project.Labels["team"] != "pay" {
		t.Errorf("%+v", e)
	}
	if err := s.commit(map[string]string{"Dockerfile": "FROM HOST/base/demo:1.4.9\nCOPY greeting /greeting\n"}); err != nil {
		t.Fatal(err)
	}
	order.Layout = s.dir + "/layout2"
	order.Features = nil
	if got, _ := run(t, d, order); got.Move != nil || len(events) != 2 {
		t.Errorf("a definition that is not moved: %+v", got.Move)
	}
}

// A notifier that fails, panics or never answers fails no delivery, and what it was not told is on record.
func TestDeliveryIsNotStoppedByItsNotifier(t *testing.T) {
	for name, tt := range map[string]struct {
		notify notify.Func
		want   string
	}{
		"fails":  {func(context.Context, notify.Event) error { return errors.New("disk full") }, "disk full"},
		"panics": {func(context.Context, notify.Event) error { panic("oops") }, "the notifier panicked: oops"},
	} {
		t.Run(name, func(t *testing.T) {
			_, d, order := open(t)
			d.Notifier = tt.notify
			var mu sync.Mutex
			said := ""
			r := pipeline.NewRun(pipeline.Options{Events: func(e pipeline.Event) { mu.Lock(); defer mu.Unlock(); said += e.Message + "\n" }})
			got, err := d.Run(t.Context(), r, order)
			if err != nil || got.Untold != tt.want || got.Reference == "" || !strings.Contains(said, tt.want) {
				t.Errorf("%q %v\n%s", got.Untold, err, said)
			}
		})
	}
}

func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		begun := time.Now()
		err := pipeline.Within(t.Context(), time.Minute, func(context.Context) error { <-hang; return nil })
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		close(hang)
	})
}
