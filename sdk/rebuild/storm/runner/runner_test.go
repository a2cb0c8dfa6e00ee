package runner_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/harbour"
	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// sea is a harbour with a runner that can be opened again.
type sea struct {
	*harbour.Harbour
	*testing.T

	server *registrytest.Server
	opts   runner.Options
	runner *runner.Runner
	before map[string]string // what 1.0 was, by name
	built  atomic.Int64
	hook   func(r runner.Request) error
	stop   func()
}

func newSea(t *testing.T, change func(*runner.Options), ships ...harbour.Ship) *sea {
	t.Helper()
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	client := registry.New(registry.Options{Retries: -1})
	t.Cleanup(client.Close)
	h, err := harbour.New(t.Context(), server.Host, client, lineage.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	s := &sea{Harbour: h, T: t, server: server, before: map[string]string{}}
	for _, ship := range ships {
		s.build(ship)
	}
	s.opts = runner.Options{
		Database: filepath.Join(t.TempDir(), "storm.db"), Registry: client, Lineage: h.Lineage, Backoff: 10 * time.Millisecond, Lost: 2 * time.Second,
		Engines: []runner.Engine{{Name: "a", Slots: 2, Rebuilder: runner.RebuilderFunc(s.rebuild)}},
	}
	if change != nil {
		change(&s.opts)
	}
	s.open()
	return s
}

func (s *sea) build(ship harbour.Ship) string {
	s.Helper()
	digest, err := s.Build(s.Context(), ship)
	if err != nil {
		s.Fatal(err)
	}
	s.before[ship.Name] = digest
	return digest
}

func (s *sea) rebuild(ctx context.Context, r runner.Request) (string, error) {
	if s.hook != nil {
		if err := s.hook(r); err != nil {
			return "", err
		}
	}
	s.built.Add(1)
	return s.Rebuild(ctx, &r.Item)
}

func (s *sea) open() {
	s.Helper()
	r, err := runner.Open(s.Context(), s.opts)
	if err != nil {
		s.Fatal(err)
	}
	s.runner = r
	s.Cleanup(func() {
		if s.stop != nil {
			s.stop()
		}
		if err := r.Close(); err != nil {
			s.Error(err)
		}
	})
}

func (s *sea) run() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.runner.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.Error(err)
		}
	})
}

func (s *sea) preview(campaign string) *storm.Preview {
	s.Helper()
	planner := &storm.Planner{
		Lineage: s.Lineage, Mover: s.runner.Mover(), Past: s.runner, Policy: func(catalog.Project, string) rebuild.Policy { return harbour.Policy() },
	}
	p, err := planner.Preview(s.Context(), s.Question(campaign))
	if err != nil {
		s.Fatal(err)
	}
	return p
}

func (s *sea) start(campaign string) {
	s.Helper()
	if _, err := s.runner.Start(s.Context(), s.preview(campaign)); err != nil {
		s.Fatal(err)
	}
}

func (s *sea) wait(campaign string) *runner.Status {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	status, err := s.runner.Wait(ctx, campaign, nil)
	if err != nil {
		s.Fatalf("%v: %+v", err, status)
	}
	return status
}

// outcomes are by name: "state did reason".
func (s *sea) outcomes(campaign string) map[string]runner.Outcome {
	s.Helper()
	all, err := s.runner.Outcomes(s.Context(), campaign)
	if err != nil {
		s.Fatal(err)
	}
	of := map[string]runner.Outcome{}
	for _, o := range all {
		name := strings.TrimPrefix(o.Repository, s.Host+"/")
		if before, ok := of[name]; !ok || before.Digest != s.before[name] { // of several the one that was pushed last
			of[name] = o
		}
	}
	return of
}

// moved checks that images are now what they would be if they were built on the new base, and those that were are there.
func (s *sea) moved(campaign string, names ...string) {
	s.Helper()
	of := s.outcomes(campaign)
	for _, name := range names {
		if err := s.Check(s.Context(), name, s.before[name]); err != nil {
			s.Error(err)
		}
		o := of[name]
		if now := digestOf(s, name); o.State != "done" || s.Host+"/"+name+"@"+now != o.Result {
			s.Errorf("%s: %s (%s), result %s, the tag names %s", name, o.State, o.Reason, o.Result, now)
		}
	}
}

func digestOf(s *sea, name string) string {
	s.Helper()
	digest, err := s.Client.Resolve(s.Context(), s.Host+"/"+name+":1.0")
	if err != nil {
		s.Fatal(err)
	}
	return digest
}

var fleet = []harbour.Ship{
	{Name: "team/app", Owner: "team"},
	{Name: "pay/api", Owner: "pay"},
	{Name: "pay/patched", Owner: "pay", Files: map[string]string{harbour.Changed: "own"}},
	{Name: "pay/on-api", On: "pay/api", Owner: "pay"},
	{Name: "pay/on-patched", On: "pay/patched", Owner: "pay"},
	{Name: "pay/top", On: "pay/on-patched", Owner: "pay"},
}

func TestStorm(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	told := map[string]notify.Event{}
	s := newSea(t, func(o *runner.Options) {
		o.Notifier = notify.Func(func(_ context.Context, e notify.Event) error {
			mu.Lock()
			defer mu.Unlock()
			if err := e.Check(); err != nil {
				t.Error(err)
			}
			told[e.ID] = e
			return nil
		})
	}, fleet...)
	s.run()
	s.start("ban-7")
	if status := s.wait("ban-7"); status.State != runner.Done || len(status.Waves) != 3 || status.Waves[0].Done != 3 {
		t.Errorf("%+v", status)
	}
	s.moved("ban-7", "team/app", "pay/api", "pay/patched", "pay/on-api", "pay/on-patched", "pay/top")
	of := s.outcomes("ban-7")
	for name, did := range map[string]rebuild.Verb{
		"team/app": rebuild.DoRebase, "pay/patched": rebuild.DoRebuild, "pay/on-api": rebuild.DoRebase, "pay/on-patched": rebuild.DoRebase, "pay/top": rebuild.DoRebase,
	} {
		if of[name].Did != did {
			t.Errorf("%s: %s (%s), want %s", name, of[name].Did, of[name].Reason, did)
		}
	}
	if n := s.built.Load(); n != 1 {
		t.Errorf("%d builds", n)
	}
	// The lineage knows the new images: nothing with a tag stands on the old base, but what was built elsewhere.
	for _, item := range s.preview("ban-8").Items {
		if item.Repository != s.Host+"/pay/patched" { // its builder records its own lineage
			t.Errorf("%s still stands on it", item.Reference())
		}
	}
	for range 50 {
		mu.Lock()
		n := len(told)
		mu.Unlock()
		if n == 8 { // six images, two owners
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, e := range told {
		if e.Kind == notify.IncidentReported && e.Teams[0] == "pay" && (e.Title != "ban-7: 5 images replaced, 0 failed, 0 left" || !strings.Contains(e.Text, "4 images were rebased and 1 built again")) {
			t.Errorf("%s: %s", e.Title, e.Text)
		}
	}
	if len(told) != 8 {
		t.Errorf("%d events", len(told))
	}
}

func TestPublishedMeanwhileWins(t *testing.T) {
	t.Parallel()
	s := newSea(t, nil, harbour.Ship{Name: "team/app"}, harbour.Ship{Name: "team/patched", Files: map[string]string{harbour.Changed: "own"}})
	s.start("ban-7")
	newer := s.build(harbour.Ship{Name: "team/app", Files: map[string]string{"new": "1"}})
	patched := s.build(harbour.Ship{Name: "team/patched", Files: map[string]string{harbour.Changed: "own", "new": "1"}})
	s.run()
	s.wait("ban-7")
	for name, want := range map[string]string{"team/app": newer, "team/patched": patched} {
		if o := s.outcomes("ban-7")[name]; o.State != "left" || !strings.Contains(o.Reason, "published anew") || digestOf(s, name) != want {
			t.Errorf("%s: %s (%s)", name, o.State, o.Reason)
		}
	}
	if s.built.Load() != 0 {
		t.Error("it was built for nothing")
	}
}

func TestFailureDelaysNoneOfTheOthers(t *testing.T) {
	t.Parallel()
	s := newSea(t, func(o *runner.Options) { o.Canary, o.Breaker.Rate = -1, 1 }, fleet...)
	s.hook = func(runner.Request) error { return errors.New("exit code 1") }
	s.run()
	s.start("ban-7")
	s.wait("ban-7")
	s.moved("ban-7", "team/app", "pay/api", "pay/on-api")
	of := s.outcomes("ban-7")
	if of["pay/patched"].State != "failed" || of["pay/patched"].Runs != 1 {
		t.Errorf("%+v", of["pay/patched"])
	}
	for _, name := range []string{"pay/on-patched", "pay/top"} {
		if of[name].State != "left" || !strings.Contains(of[name].Reason, "exit code 1") || digestOf(s, name) != s.before[name] {
			t.Errorf("%s: %+v", name, of[name])
		}
	}
}

func TestFirstImageThatFailsPausesAll(t *testing.T) {
	t.Parallel()
	ships := []harbour.Ship{{Name: "team/patched", Files: map[string]string{harbour.Changed: "own"}}}
	for i := range 6 {
		ships = append(ships, harbour.Ship{Name: fmt.Sprintf("team/app%d", i)})
	}
	s := newSea(t, func(o *runner.Options) { o.Canary = 1 }, ships...)
	s.hook = func(runner.Request) error { return errors.New("exit code 1") }
	s.run()
	s.start("ban-7")
	if status := s.wait("ban-7"); status.State != runner.Paused || status.Waves[0].Done != 0 || !strings.Contains(status.Reason, "first images") {
		t.Fatalf("%+v", status)
	}
	if _, err := s.runner.Resume(t.Context(), "ban-7", "ana"); err != nil {
		t.Fatal(err)
	}
	if status := s.wait("ban-7"); status.State != runner.Done || status.Waves[0].Done != 6 || status.Waves[0].Failed != 1 {
		t.Errorf("%+v", status)
	}
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	var ships []harbour.Ship
	for i := range 8 {
		ships = append(ships, harbour.Ship{Name: fmt.Sprintf("team/patched%d", i), Files: map[string]string{harbour.Changed: "own"}})
	}
	s := newSea(t, func(o *runner.Options) {
		o.Canary, o.Workers, o.Limits.Total = -1, 1, 1
		o.Breaker = runner.Breaker{Rate: 0.5, After: 2}
	}, ships...)
	s.hook = func(runner.Request) error { return errors.New("exit code 1") }
	s.run()
	s.start("ban-7")
	if status := s.wait("ban-7"); status.State != runner.Paused || status.Waves[0].Failed != 2 {
		t.Errorf("%+v", status)
	}
}

func TestFaultsAreTriedAgain(t *testing.T) {
	t.Parallel()
	s := newSea(t, func(o *runner.Options) { o.Attempts = 3 }, harbour.Ship{Name: "team/app"}, harbour.Ship{Name: "team/cut"}, harbour.Ship{Name: "team/down"})
	s.start("ban-7")
	s.server.Inject(registrytest.Rule{Method: "PUT", Path: "/team/app/manifests/", Times: 1, Fault: registrytest.Status(http.StatusTooManyRequests, nil)})
	s.server.Inject(registrytest.Rule{Method: "PUT", Path: "/team/cut/", Times: 2, Fault: registrytest.CutRequest(10)})
	s.server.Inject(registrytest.Rule{Method: "PUT", Path: "/team/down/manifests/", Fault: registrytest.Status(http.StatusInternalServerError, nil)})
	s.run()
	s.wait("ban-7")
	of := s.outcomes("ban-7")
	s.server.Reset()
	s.moved("ban-7", "team/app", "team/cut")
	if of["team/app"].Runs != 2 || of["team/cut"].Runs < 2 {
		t.Errorf("%d and %d runs", of["team/app"].Runs, of["team/cut"].Runs)
	}
	if o := of["team/down"]; o.State != "failed" || o.Runs != 3 || digestOf(s, "team/down") != s.before["team/down"] {
		t.Errorf("%+v", o)
	}
}

// A test that fails, or none at all, leaves the tag where it is.
func TestTestsComeBeforeTags(t *testing.T) {
	t.Parallel()
	s := newSea(t, func(o *runner.Options) { o.Tester, o.Canary = tester{}, -1 }, harbour.Ship{Name: "team/untested"}, harbour.Ship{Name: "team/broken"})
	s.run()
	s.start("ban-7")
	s.wait("ban-7")
	of := s.outcomes("ban-7")
	for name, reason := range map[string]string{"team/untested": "no scenario tests it", "team/broken": "does not answer"} {
		if o := of[name]; o.State != "failed" || !strings.Contains(o.Reason, reason) || digestOf(s, name) != s.before[name] {
			t.Errorf("%s: %s (%s)", name, o.State, o.Reason)
		}
	}
}

type tester struct{}

func (tester) Test(_ context.Context, item *storm.Item, _ string) (*blackbox.Verdict, error) {
	if strings.HasSuffix(item.Repository, "untested") {
		return nil, nil
	}
	return nil, errors.New("it does not answer")
}

func TestReplacementThatIsBannedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSea(t, func(o *runner.Options) {
		o.Allowed = func(_ context.Context, name, _ string) (string, error) { return name + " is banned itself", nil }
	}, harbour.Ship{Name: "team/app"})
	s.run()
	s.start("ban-7")
	if status := s.wait("ban-7"); status.State != runner.Paused || !strings.Contains(status.Reason, "banned itself") || digestOf(s, "team/app") != s.before["team/app"] {
		t.Errorf("%+v", status)
	}
}

func TestSuccessiveBansMoveAnImageOnce(t *testing.T) {
	t.Parallel()
	s := newSea(t, func(o *runner.Options) { o.Debounce = 300 * time.Millisecond }, harbour.Ship{Name: "team/app"})
	s.start("ban-7")
	s.start("ban-8")
	s.run()
	s.wait("ban-7")
	s.wait("ban-8")
	if o := s.outcomes("ban-7")["team/app"]; o.State != "superseded" || o.Reason != "campaign ban-8 does it" {
		t.Errorf("%+v", o)
	}
	s.moved("ban-8", "team/app")
}

// An image that comes back on the banned base after it was brought onto the new one is not brought there for ever.
func TestLoop(t *testing.T) {
	t.Parallel()
	s := newSea(t, nil, harbour.Ship{Name: "team/app"})
	s.run()
	s.start("base")
	s.wait("base")
	s.build(harbour.Ship{Name: "team/app", Files: map[string]string{"again": "1"}}) // of the same commit
	s.start("base")
	s.wait("base")
	if o := s.outcomes("base")["team/app"]; o.State != "left" || !strings.Contains(o.Reason, "brought it onto") {
		t.Errorf("%+v", o)
	}
	s.build(harbour.Ship{Name: "team/app", Commit: "2", Files: map[string]string{"two": "2"}})
	s.start("base")
	s.wait("base")
	if err := s.Check(t.Context(), "team/app", s.before["team/app"]); err != nil {
		t.Error(err)
	}
	old := s.build(harbour.Ship{Name: "team/app"}) // the tag is put back to what was
	s.start("base")
	s.wait("base")
	if o := s.outcomes("base")["team/app"]; o.Digest != old || o.State != "left" || !strings.Contains(o.Reason, "put back") {
		t.Errorf("%+v", o)
	}
}

func TestPauseAndCancel(t *testing.T) {
	t.Parallel()
	s := newSea(t, nil, fleet...)
	s.start("ban-7")
	if status, err := s.runner.Pause(t.Context(), "ban-7", "ana"); err != nil || status.State != runner.Paused || status.Reason != "paused by ana" {
		t.Errorf("%+v, %v", status, err)
	}
	s.run()
	time.Sleep(500 * time.Millisecond)
	if status, err := s.runner.Cancel(t.Context(), "ban-7", "ana"); err != nil || status.State != runner.Cancelled || status.Waves[0].Done != 0 {
		t.Errorf("%+v, %v", status, err)
	}
	for name, o := range s.outcomes("ban-7") {
		if o.State != "cancelled" || digestOf(s, name) != s.before[name] {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if _, err := s.runner.Start(t.Context(), s.preview("ban-7")); err == nil {
		t.Error("a cancelled campaign was started again")
	}
	if _, err := s.runner.Status(t.Context(), "ban-9"); !errors.Is(err, runner.ErrNotFound) {
		t.Error(err)
	}
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	var ships []harbour.Ship
	for i := range 8 {
		ships = append(ships, harbour.Ship{Name: fmt.Sprintf("t%d/patched%d", i%2, i), Owner: fmt.Sprintf("t%d", i%2), Files: map[string]string{harbour.Changed: "own"}})
	}
	s := newSea(t, func(o *runner.Options) {
		o.Canary, o.Workers, o.Limits = -1, 8, runner.Limits{Total: 6, Team: 3, Teams: map[string]int{"t0": 1}}
		o.Engines[0].Slots = 8
	}, ships...)
	var mu sync.Mutex
	now, most := map[string]int{}, map[string]int{}
	s.hook = func(r runner.Request) error {
		for _, d := range []int{1, -1} {
			mu.Lock()
			now[r.Item.Owner] += d
			most[r.Item.Owner] = max(most[r.Item.Owner], now[r.Item.Owner])
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
		}
		return nil
	}
	s.run()
	s.start("ban-7")
	s.wait("ban-7")
	if most["t0"] != 1 || most["t1"] < 2 || most["t1"] > 3 {
		t.Errorf("at most %v at once", most)
	}
}

// A process that ends while it is at something begins it again, and does nothing twice.
func TestStopAndGoOn(t *testing.T) {
	t.Parallel()
	s := newSea(t, nil, fleet...)
	begun := make(chan struct{}, 9)
	block := make(chan struct{})
	s.hook = func(runner.Request) error { begun <- struct{}{}; <-block; return context.Canceled }
	s.start("ban-7")
	s.run()
	<-begun
	close(block)
	s.hook = nil
	s.stop()
	s.open()
	s.run()
	s.wait("ban-7")
	s.moved("ban-7", "team/app", "pay/api", "pay/on-api")
}

func TestPostgres(t *testing.T) {
	s := newSea(t, func(o *runner.Options) { o.Database = testenv.Postgres(t) }, fleet...)
	s.run()
	other, err := runner.Open(t.Context(), s.opts) // another host
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- other.Run(ctx) }()
	s.start("ban-7")
	s.wait("ban-7")
	cancel()
	if err := errors.Join(<-ended, other.Close()); err != nil {
		t.Error(err)
	}
	s.moved("ban-7", "team/app", "pay/api", "pay/patched", "pay/on-api", "pay/on-patched", "pay/top")
	if n := s.built.Load(); n != 1 {
		t.Errorf("%d builds", n)
	}
}
