package buildservice_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// buildUntil is a hook: it says that a build has begun and goes on when it may.
func buildUntil(begun chan<- struct{}, goOn <-chan struct{}) func(context.Context, build.Request) error {
	return func(ctx context.Context, _ build.Request) error {
		begun <- struct{}{}
		select {
		case <-goOn:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func TestRefusalsAreNotTriedAgain(t *testing.T) {
	s := newSite(t, nil)
	var err error
	if s.commit, err = s.Commit(map[string]string{
		"evil/Dockerfile":     "FROM HOST/contrib/toolbox:7\n",
		"untested/Dockerfile": "FROM HOST/base/demo:1.4.9\nCOPY Dockerfile /\nUSER 65534\n",
		"broken/Dockerfile":   "FROM HOST/base/demo:1.4.9\nFRUM x\n",
	}); err != nil {
		t.Fatal(err)
	}
	image, _ := registrytest.Image(map[string]string{"x": "y"}, registrytest.ImageOptions{})
	if _, err := s.Server.Push(t.Context(), "contrib/toolbox:7", image); err != nil {
		t.Fatal(err)
	}
	s.start()
	for dir, want := range map[string]struct {
		state  api.State
		stage  string
		reason string
	}{
		"evil":     {api.Refused, "lint", "contrib/toolbox is not in the catalog"},
		"untested": {api.Refused, "publish", "no scenario tested this image"},
		"broken":   {api.Failed, "checkout", "Dockerfile:2"},
		"nowhere":  {api.Failed, "checkout", "nowhere"},
	} {
		got := s.wait(s.ask(s.request(dir)).ID)
		if got.State != want.state || got.Stage != want.stage || !strings.Contains(got.Reason, want.reason) || got.Runs != 1 || got.Reference != "" {
			t.Errorf("%s: %s in %s after %d runs: %s; want %+v", dir, got.State, got.Stage, got.Runs, got.Reason, want)
		}
		if dir == "evil" && (len(got.Findings) == 0 || got.Findings[0].Rule != "DF1001") {
			t.Errorf("findings: %v", got.Findings)
		}
	}
}

func TestFaultsAreTriedAgain(t *testing.T) {
	s := newSite(t, func(o *buildservice.Options) { o.Attempts = 3 })
	s.Server.Inject(registrytest.Rule{Method: "PUT", Path: "/pay/a/manifests/", Times: 1, Fault: registrytest.Status(http.StatusServiceUnavailable, nil)})
	s.Server.Inject(registrytest.Rule{Method: "PUT", Path: "/pay/b/manifests/", Fault: registrytest.Status(http.StatusServiceUnavailable, nil)})
	s.start()
	if got := s.wait(s.ask(s.request("a")).ID); got.State != api.Succeeded || got.Runs != 2 {
		t.Errorf("a fault that passes: %s after %d runs: %s", got.State, got.Runs, got.Reason)
	}
	if got := s.wait(s.ask(s.request("b")).ID); got.State != api.Failed || got.Runs != 3 || got.Stage != "publish" || got.Reference != "" {
		t.Errorf("a fault that stays: %s after %d runs: %s", got.State, got.Runs, got.Reason)
	}
}

func TestCancel(t *testing.T) {
	s := newSite(t, func(o *buildservice.Options) { o.Workers = 1 })
	begun := make(chan struct{}, 9)
	s.Hook = buildUntil(begun, nil)
	s.start()
	running, waiting := s.ask(s.request("a")), s.ask(s.request("b"))
	<-begun
	for _, b := range []api.Build{waiting, running} {
		var got api.Build
		if answer := s.call("ops", "POST", "/v1/builds/"+b.ID+"/cancel", nil, &got); answer.StatusCode != 200 {
			t.Errorf("cancel: %s", answer.Status)
		}
		if got := s.wait(b.ID); got.State != api.Cancelled || got.Reason != "cancelled by token:ops" {
			t.Errorf("the build is %s: %s", got.State, got.Reason)
		}
	}
}

func TestABuildThatTakesTooLong(t *testing.T) {
	s := newSite(t, func(o *buildservice.Options) { o.Timeout = 300 * time.Millisecond })
	s.Hook = buildUntil(make(chan struct{}, 9), nil)
	s.start()
	if got := s.wait(s.ask(s.request("a")).ID); got.State != api.Failed || got.Reason != "it took longer than 300ms" {
		t.Errorf("the build is %s: %s", got.State, got.Reason)
	}
}

func TestAStopPutsBuildsBack(t *testing.T) {
	s := newSite(t, func(o *buildservice.Options) { o.Drain = 100 * time.Millisecond })
	begun := make(chan struct{}, 9)
	s.Hook = buildUntil(begun, nil)
	s.start()
	b := s.ask(s.request("a"))
	<-begun
	s.stop()
	s.Hook = nil
	s.start()
	if got := s.wait(b.ID); got.State != api.Succeeded || got.Runs != 2 {
		t.Errorf("the build is %s after %d runs: %s", got.State, got.Runs, got.Reason)
	}
}

func TestAnErrorOfTheServiceIsNotTheEndOfIt(t *testing.T) {
	s := newSite(t, nil)
	s.Hook = func(context.Context, build.Request) error { panic("boom") }
	s.start()
	if got := s.wait(s.ask(s.request("a")).ID); got.State != api.Failed || !strings.Contains(got.Reason, "tell Ops") {
		t.Errorf("the build is %s: %s", got.State, got.Reason)
	}
	s.Hook = func(context.Context, build.Request) error { return errors.New("exit code 1") }
	if got := s.wait(s.ask(s.request("b")).ID); got.State != api.Failed || got.Stage != "build" || got.Runs != 1 {
		t.Errorf("the build is %s in %s: %s", got.State, got.Stage, got.Reason)
	}
}

func TestQuotasAndPriorities(t *testing.T) {
	var mu sync.Mutex
	var order []string
	var now, most atomic.Int64
	s := newSite(t, func(o *buildservice.Options) {
		o.Workers, o.TeamRunning = 4, 1
		o.Projects[0].MaxPriority = 1
	})
	gate := make(chan struct{})
	s.Hook = func(_ context.Context, req build.Request) error {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		<-gate
		greeting, err := readFile(req, "greeting")
		mu.Lock()
		defer mu.Unlock()
		order = append(order, strings.TrimSpace(strings.TrimPrefix(greeting, "ahoy from ")))
		return err
	}
	s.start()
	var ids []string
	for i, dir := range []string{"a", "b", "c", "d"} {
		r := s.request(dir)
		r.Priority = []int{2, 4, 3, 1}[i]
		ids = append(ids, s.ask(r).ID)
		if i == 0 { // it runs before the others come
			for now.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}
	close(gate)
	for _, id := range ids {
		s.wait(id)
	}
	if got := strings.Join(order, ""); got != "adcb" || most.Load() != 1 {
		t.Errorf("built in the order %q, at most %d at once; want adcb and 1", got, most.Load())
	}
}

func readFile(req build.Request, name string) (string, error) {
	f, err := req.Context.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text := make([]byte, 100)
	n, err := f.Read(text)
	return string(text[:n]), err
}

func TestAQueueThatIsFull(t *testing.T) {
	s := newSite(t, func(o *buildservice.Options) { o.Workers, o.MaxQueued = -1, 2 })
	s.start()
	s.ask(s.request("a"))
	s.ask(s.request("b"))
	var text string
	answer := s.call("ana", "POST", "/v1/builds", s.request("c"), &text)
	if answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" || !strings.Contains(text, "is full") {
		t.Errorf("%s: %s", answer.Status, text)
	}
	if again := s.ask(s.request("a")); again.State != api.Queued {
		t.Errorf("one that waits already: %+v", again)
	}
}

func TestManyFollowersMissNothing(t *testing.T) {
	const followers, lines = 50, 200
	s := newSite(t, func(o *buildservice.Options) { o.Limits.Rate, o.Limits.Burst = 1000, 1000 })
	begun, goOn := make(chan struct{}, 1), make(chan struct{})
	s.Hook = func(_ context.Context, req build.Request) error {
		close(begun)
		for n := range lines {
			req.Progress(build.Event{Step: "x", State: "log", Log: fmt.Appendf(nil, "line %d\n", n)})
			if n == lines/2 {
				<-goOn
			}
		}
		return nil
	}
	s.start()
	b := s.ask(s.request("a"))
	<-begun
	logs := make([]string, followers)
	var wg sync.WaitGroup
	for i := range followers {
		wg.Go(func() { s.call("ana", "GET", "/v1/builds/"+b.ID+"/logs", nil, &logs[i]) })
	}
	close(goOn)
	wg.Wait()
	for i, log := range logs {
		if log != logs[0] || strings.Count(log, `"text":"line `) != lines || !strings.Contains(log, "event: end") {
			t.Errorf("follower %d has %d lines", i, strings.Count(log, `"text":"line `))
		}
	}
}
