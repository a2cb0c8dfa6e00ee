package campaign_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/harbour"
	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/agent"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/compile"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/sweep"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/campaign"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

const ban = "BAN-2026-17"

// shore is a registry with images on a base, a start check, and everything that a campaign joins.
type shore struct {
	*testing.T
	*harbour.Harbour

	dir   string
	parts campaign.Parts
	key   admissiontest.Key
	store *agent.Store
	gate  *admission.Gate
	told  map[string]notify.Event

	mu      sync.Mutex
	lifted  string              // what the catalog says of the ban's lifting
	runs    map[string][]string // instance id to the digests of its image
	version uint64
}

func newShore(t *testing.T) *shore {
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
	s := &shore{T: t, Harbour: h, dir: t.TempDir(), key: admissiontest.NewKey("ops"), told: map[string]notify.Event{}, runs: map[string][]string{}}
	if s.store, err = agent.Open(filepath.Join(s.dir, "agent"), agent.Options{Name: "test", Verifier: s.key}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.store.Close() })
	s.gate = admission.NewGate(admission.Options{Bundles: s.store})
	for _, ship := range []harbour.Ship{
		{Name: "pay", Owner: "payments"},
		{Name: "shop", Owner: "shop"},
		{Name: "cart", Owner: "shop", On: "shop"},
		{Name: "stuck", Owner: "shop", Files: map[string]string{harbour.Changed: "mine"}},
	} {
		digest, err := s.Build(t.Context(), ship)
		if err != nil {
			t.Fatal(err)
		}
		s.start(ship.Name, digest)
	}
	s.open()
	return s
}

// start has an instance of an image run.
func (s *shore) start(id, digest string) {
	s.Helper()
	s.mu.Lock()
	s.runs[id] = []string{digest}
	s.mu.Unlock()
	err := s.Lineage.Put(s.Context(), lineage.Batch{Instances: []lineage.Instance{{Place: "docker://host", ID: id, Name: id, Digest: digest}}})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *shore) open() {
	s.Helper()
	run, err := runner.Open(s.Context(), runner.Options{
		Database: filepath.Join(s.dir, "storm.db"), Registry: s.Client, Lineage: s.Lineage, Backoff: 10 * time.Millisecond,
		Engines: []runner.Engine{{Name: "a", Rebuilder: runner.RebuilderFunc(s.rebuild)}},
	})
	if err != nil {
		s.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(s.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run.Run(ctx) }()
	s.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, run.Close()); err != nil {
			s.Error(err)
		}
	})
	log, err := audit.Open(filepath.Join(s.dir, "audit"), audit.Options{Name: "test"})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = log.Close() })
	s.parts = campaign.Parts{
		Catalog: s.catalog, Facts: facts{s}, Lineage: s.Lineage, Deny: s.deny, Storm: run, Log: log, Poll: 20 * time.Millisecond,
		Planner: &storm.Planner{
			Lineage: s.Lineage, Mover: run.Mover(), Past: run, Policy: func(catalog.Project, string) rebuild.Policy { return harbour.Policy() },
		},
		Checks: func(ctx context.Context) ([]campaign.Check, error) {
			held, err := s.store.Current(ctx)
			if err != nil {
				return nil, err
			}
			return []campaign.Check{{Name: "host", Version: held.Bundle.Header().Version}}, nil
		},
		Sweep:    func(ctx context.Context) (*sweep.Report, error) { return sweep.Sweep(ctx, s.gate, s) },
		Resolve:  func(ctx context.Context, ref string) (string, error) { return facts{s}.Resolve(ctx, ref) },
		Notifier: notify.Func(s.tell),
	}
}

// rebuild builds an image again and tells the lineage of it, as a delivery does.
func (s *shore) rebuild(ctx context.Context, r runner.Request) (string, error) {
	ref, err := s.Rebuild(ctx, &r.Item)
	if err != nil {
		return "", err
	}
	repository, digest, _ := strings.Cut(ref, "@")
	return ref, s.Lineage.Put(ctx, lineage.Batch{
		Images: []lineage.Image{{Digest: digest, Kind: lineage.KindIndex, Owner: r.Item.Owner}},
		Tags:   []lineage.Tag{{Repository: repository, Name: "1.0", Digest: digest, Since: time.Now()}},
	})
}

func (s *shore) catalog(context.Context) (*catalog.Catalog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return catalog.Load("catalog.yaml", fmt.Appendf(nil, `version: 1
owner: platform
bases:
  - repository: %[1]s/base
    tags: ["*"]
bans:
  - id: %[2]s
    repository: %[1]s/base
    tags: ["12.8"]
    reason: holes in libdemo
    advisory: CVE-2026-1234
    severity: high
    denyFrom: 2026-05-01
    replacement: {tag: "12.9"}
    author: ana
    approver: bo
%[3]s`, s.Host, ban, s.lifted))
}

// deny makes the bundle and hands it to the one agent that there is.
func (s *shore) deny(ctx context.Context, cat *catalog.Catalog) (uint64, error) {
	s.mu.Lock()
	s.version++
	version := s.version
	s.mu.Unlock()
	now := time.Now()
	b := bundle.NewBuilder(bundle.Header{Name: "test", Version: version, Issued: now, Expires: now.Add(time.Hour), Catalog: cat.Digest()})
	if _, err := compile.Compile(ctx, b, cat, s.Lineage, compile.Options{At: now}); err != nil {
		return 0, err
	}
	var data bytes.Buffer
	if err := b.Write(ctx, &data, s.key); err != nil {
		return 0, err
	}
	_, err := s.store.Adopt(ctx, data.Bytes())
	return version, err
}

// Instances implements [sweep.Lister].
func (s *shore) Instances(context.Context) ([]admission.Instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []admission.Instance
	for id, digests := range s.runs {
		all = append(all, admission.Instance{Place: "docker://host", ID: id, Name: id, Image: admission.Image{Digests: digests}})
	}
	return all, nil
}

func (s *shore) tell(_ context.Context, e notify.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told[e.ID] = e
	return e.Check()
}

// facts ask the registry.
type facts struct{ *shore }

func (f facts) Resolve(ctx context.Context, ref string) (string, error) {
	desc, err := f.Client.Head(ctx, ref)
	return desc.Digest.String(), err
}

func (f facts) Tags(ctx context.Context, repository string) ([]string, error) {
	return f.Client.Tags(ctx, repository)
}

func (s *shore) engine() *campaign.Engine {
	s.Helper()
	e, err := campaign.Open(filepath.Join(s.dir, "campaigns"), s.parts)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = e.Close() })
	return e
}

// until runs a campaign until what was measured is as wanted.
func (s *shore) until(e *campaign.Engine, want func(*campaign.State) bool) *campaign.State {
	s.Helper()
	ctx, stop := context.WithTimeout(s.Context(), time.Minute)
	defer stop()
	go func() {
		for ctx.Err() == nil {
			if state, err := e.State(ban); err == nil && want(state) {
				stop()
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	state, err := e.Run(ctx, ban)
	if err != nil {
		s.Fatal(err)
	}
	if !want(state) {
		var text bytes.Buffer
		_ = state.Text(&text)
		s.Fatalf("it did not come to that:\n%s", &text)
	}
	return state
}

func TestPreview(t *testing.T) {
	s := newShore(t)
	p, err := campaign.Look(t.Context(), s.parts, ban)
	if err != nil {
		t.Fatal(err)
	}
	if p.Images != 5 || len(p.Running) != 4 || len(p.Owners) != 3 || p.Owners[0].Name != "shop" || p.Owners[0].Running != 3 {
		t.Errorf("%d images, %d run, owners %+v", p.Images, len(p.Running), p.Owners)
	}
	var text bytes.Buffer
	if err := p.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"holes in libdemo (CVE-2026-1234)", "5 images stand on it", "4 instances of them run", "wave 1: 2 rebased, 1 rebuilt", "wave 2: 1 rebased"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
	}
	if _, err := campaign.Look(t.Context(), s.parts, "BAN-1"); !errors.Is(err, campaign.ErrNotFound) || !strings.Contains(err.Error(), ban) {
		t.Errorf("an unknown ban: %v", err)
	}
	digest, err := facts{s}.Resolve(t.Context(), s.Host+"/pay:1.0")
	if err != nil || s.runs["pay"][0] != digest {
		t.Errorf("a preview moved a tag: %s, %v", digest, err)
	}
}

// The whole way: denied, told, replaced, restarted, safe.
func TestUntilAllIsSafe(t *testing.T) {
	s := newShore(t)
	e := s.engine()
	if _, err := e.Start(t.Context(), ban, "ana"); err != nil {
		t.Fatal(err)
	}
	state := s.until(e, func(s *campaign.State) bool { return s.Step(campaign.StepReplace).Over() && s.Safety != nil })
	if state.Phase != campaign.Running || len(state.Safety.Instances) != 4 {
		t.Fatalf("it is %s, %+v", state.Phase, state.Safety)
	}
	if rebased, rebuilt := state.Replaced(); rebased != 3 || rebuilt != 1 {
		t.Errorf("%d rebased, %d rebuilt", rebased, rebuilt)
	}
	for _, name := range []string{"pay", "shop", "cart", "stuck"} {
		if err := s.Check(t.Context(), name, s.runs[name][0]); err != nil {
			t.Error(err)
		}
	}
	// What runs is restarted from the new images, which the bundle knows.
	for name := range s.runs {
		digest, err := facts{s}.Resolve(t.Context(), s.Host+"/"+name+":1.0")
		if err != nil {
			t.Fatal(err)
		}
		if d := s.gate.Decide(t.Context(), admission.Image{Digests: []string{digest}}); d.Outcome != admission.Allowed {
			t.Errorf("the new %s: %s", name, d)
		}
		s.start(name, digest)
	}
	state = s.until(e, func(s *campaign.State) bool { return s.Phase == campaign.Safe })
	marks := state.Timeline
	if marks.Denied.IsZero() || marks.HalfReplaced.IsZero() || marks.AllReplaced.IsZero() || marks.AllSafe.Before(marks.AllReplaced) {
		t.Errorf("%+v", marks)
	}
	told := 0
	for _, event := range s.told {
		if event.Kind == notify.IncidentDetected {
			told++
		}
	}
	if told != 3 {
		t.Errorf("%d were told", told)
	}
	var page bytes.Buffer
	if err := campaign.HTML(&page, state); err != nil || !strings.Contains(page.String(), "all is safe") || !strings.Contains(page.String(), "/pay:1.0") {
		t.Errorf("%v: %.300s", err, &page)
	}
	if again, err := e.Start(t.Context(), ban, "bo"); err != nil || again.By != "ana" || again.Phase != campaign.Safe {
		t.Errorf("started again: %+v, %v", again, err)
	}
	if verified, err := audit.Verify(os.DirFS(filepath.Join(s.dir, "audit")), audit.VerifyOptions{}); err != nil || len(verified.Findings) > 0 {
		t.Errorf("the audit log: %+v, %v", verified, err)
	}
}

// A remedy is as good as a new image for as long as it is in force.
func TestRemedies(t *testing.T) {
	s := newShore(t)
	s.parts.Remedy = func(context.Context, string) (map[string]string, error) {
		held := map[string]string{}
		for id := range s.runs {
			held["docker://host "+id] = "close-port"
		}
		return held, nil
	}
	e := s.engine()
	if _, err := e.Start(t.Context(), ban, "ana"); err != nil {
		t.Fatal(err)
	}
	state := s.until(e, func(s *campaign.State) bool { return s.Phase == campaign.Safe })
	if len(state.Safety.Remedied) != 4 || state.Step(campaign.StepRemedy).State != campaign.Done {
		t.Errorf("%+v", state.Safety)
	}
}

// What can't be measured is not safe, and a fault of one part stops no other.
func TestUnknownIsNotSafe(t *testing.T) {
	s := newShore(t)
	s.mu.Lock()
	clear(s.runs)
	s.mu.Unlock()
	down := errors.New("the host does not answer")
	s.parts.Sweep = func(context.Context) (*sweep.Report, error) { return nil, down }
	s.parts.Notifier = notify.Func(func(context.Context, notify.Event) error { return errors.New("no room in the outbox") })
	e := s.engine()
	if _, err := e.Start(t.Context(), ban, "ana"); err != nil {
		t.Fatal(err)
	}
	state := s.until(e, func(s *campaign.State) bool {
		return s.Step(campaign.StepReplace).State == campaign.Done && s.Step(campaign.StepTell).Faults > 1 && s.Safety != nil
	})
	if state.Phase != campaign.Running || len(state.Safety.Unknown) != 1 || !strings.Contains(state.Safety.Unknown[0], down.Error()) {
		t.Errorf("%s: %+v", state.Phase, state.Safety)
	}
	if !strings.Contains(state.Step(campaign.StepTell).Fault, "no room") {
		t.Errorf("%+v", state.Step(campaign.StepTell))
	}
}

// A process that died goes on where it was; nothing is done twice.
func TestBegunAgain(t *testing.T) {
	s := newShore(t)
	e := s.engine()
	if _, err := e.Start(t.Context(), ban, "ana"); err != nil {
		t.Fatal(err)
	}
	if _, err := campaign.Open(filepath.Join(s.dir, "campaigns"), s.parts); err == nil {
		t.Error("two have the directory")
	}
	s.until(e, func(s *campaign.State) bool { return s.Step(campaign.StepDeny).Over() })
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	next := s.engine()
	s.until(next, func(s *campaign.State) bool { return s.Step(campaign.StepReplace).Over() })
	if s.version != 2 { // once for the ban, once for the new images
		t.Errorf("%d bundles", s.version)
	}
}

func TestDecisions(t *testing.T) {
	s := newShore(t)
	e := s.engine()
	if _, err := e.State(ban); !errors.Is(err, campaign.ErrNotFound) {
		t.Errorf("not begun: %v", err)
	}
	if _, err := e.Start(t.Context(), ban, ""); !errors.Is(err, campaign.ErrInvalid) {
		t.Errorf("by nobody: %v", err)
	}
	if _, err := e.Start(t.Context(), "../BAN", "ana"); !errors.Is(err, campaign.ErrInvalid) {
		t.Errorf("a path: %v", err)
	}
	if _, err := e.Start(t.Context(), ban, "ana"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Skip(ban, campaign.StepProve, "ana", "I am sure"); !errors.Is(err, campaign.ErrInvalid) {
		t.Errorf("the proof was skipped: %v", err)
	}
	if _, err := e.Pause(t.Context(), ban, "ana", ""); !errors.Is(err, campaign.ErrInvalid) {
		t.Errorf("paused without a reason: %v", err)
	}
	if _, err := e.Pause(t.Context(), ban, "ana", "the shop opens"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if state, err := e.Run(ctx, ban); err != nil || state.Step(campaign.StepDeny).State != campaign.Waiting {
		t.Errorf("paused: %+v, %v", state, err)
	}
	if state, err := e.Skip(ban, campaign.StepReplace, "ana", "by hand"); err != nil || state.Step(campaign.StepReplace).Note != "by ana: by hand" {
		t.Errorf("%+v, %v", state, err)
	}
	if _, err := e.Resume(t.Context(), ban, "ana", "the shop is closed"); err != nil {
		t.Fatal(err)
	}
	state := s.until(e, func(s *campaign.State) bool { return s.Safety != nil })
	if len(state.Safety.Tags) != 4 || state.Safety.Safe() {
		t.Errorf("%+v", state.Safety)
	}
}

// Lifting the ban unwinds what is open: images start again.
func TestLifted(t *testing.T) {
	s := newShore(t)
	e := s.engine()
	if _, err := e.Start(t.Context(), ban, "ana"); err != nil {
		t.Fatal(err)
	}
	s.until(e, func(s *campaign.State) bool { return s.Step(campaign.StepDeny).Over() })
	old := admission.Image{Digests: s.runs["pay"]}
	if d := s.gate.Decide(t.Context(), old); d.Outcome != admission.Denied {
		t.Fatalf("not denied: %s", d)
	}
	s.mu.Lock()
	s.lifted = "    lifted: {at: 2026-06-01, by: bo, reason: it was nothing}\n"
	s.mu.Unlock()
	s.until(e, func(s *campaign.State) bool { return s.Phase == campaign.Lifted })
	if d := s.gate.Decide(t.Context(), old); d.Outcome != admission.Allowed {
		t.Errorf("still not allowed: %s", d)
	}
}
