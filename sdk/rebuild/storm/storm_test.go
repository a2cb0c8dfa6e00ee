package storm_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/internal/harbour"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// open makes a harbour with ships, and a planner for it.
func open(t *testing.T, ships ...harbour.Ship) (*harbour.Harbour, *storm.Planner, *registrytest.Server) {
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
	for _, s := range ships {
		if _, err := h.Build(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	return h, &storm.Planner{
		Lineage: h.Lineage, Mover: rebuild.NewMover(client, nil),
		Policy: func(catalog.Project, string) rebuild.Policy { return harbour.Policy() },
	}, server
}

// lines says in short what a preview would do.
func lines(h *harbour.Harbour, p *storm.Preview) []string {
	var out []string
	for _, i := range p.Items {
		s := fmt.Sprintf("%d %s %s", i.Wave, strings.TrimPrefix(i.Repository, h.Host+"/"), i.Verb)
		for _, r := range i.Reasons {
			s += " " + string(r.Code)
		}
		if i.Problem != "" {
			s += strings.ReplaceAll("problem: "+i.Problem, h.Host, "host")
		}
		out = append(out, s)
	}
	return out
}

func preview(t *testing.T, p *storm.Planner, q storm.Question) *storm.Preview {
	t.Helper()
	got, err := p.Preview(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestPreview(t *testing.T) {
	t.Parallel()
	h, planner, server := open(
		t,
		harbour.Ship{Name: "team/app", Owner: "team"},
		harbour.Ship{Name: "pay/api", Owner: "pay"},
		harbour.Ship{Name: "pay/patched", Owner: "pay", Files: map[string]string{harbour.Changed: "own"}},
		harbour.Ship{Name: "pay/on-api", On: "pay/api", Owner: "pay"},
		harbour.Ship{Name: "pay/on-patched", On: "pay/patched", Owner: "pay"},
		harbour.Ship{Name: "shop/static", On: "base:12.9", Builder: "team/app"},
	)
	server.Reset()
	planner.Owners = []string{"team"}
	planner.Running = running{digestOf(t, h, "pay/patched"): 3}
	got := preview(t, planner, h.Question("ban-7"))
	for _, r := range server.Requests() {
		if r.Method != "GET" && r.Method != "HEAD" {
			t.Errorf("a preview sent %s", r)
		}
	}
	want := []string{
		"1 pay/patched rebuild overlap", "1 team/app rebase", "1 pay/api rebase",
		"2 pay/on-api rebase", "2 pay/on-patched rebuild unproven", "2 shop/static rebuild build-stage",
	}
	if diff := cmp.Diff(want, lines(h, got)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]storm.Wave{{Number: 1, Rebases: 2, Rebuilds: 1, Running: 3}, {Number: 2, Rebases: 1, Rebuilds: 2}}, got.Waves); diff != "" {
		t.Error(diff)
	}
	if got.Requests == 0 || got.Unknown != 6 || got.Items[3].Parent != got.Items[2].ID || !got.Items[3].Forecast {
		t.Errorf("%+v", got)
	}
	if app := got.Items[1]; app.Requests != 6 { // a layer, its configuration, manifest and index; the tag
		t.Errorf("%d requests for an index of one", app.Requests)
	}
}

type running map[string]int

func (r running) Instances(_ context.Context, digests []string) iter.Seq2[lineage.Instance, error] {
	return func(yield func(lineage.Instance, error) bool) {
		for _, d := range digests {
			for range r[d] {
				if !yield(lineage.Instance{Digest: d}, nil) {
					return
				}
			}
		}
	}
}

func digestOf(t *testing.T, h *harbour.Harbour, name string) string {
	t.Helper()
	digest, err := h.Client.Resolve(t.Context(), h.Host+"/"+name+":1.0")
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// What cannot be known is said, and never guessed.
func TestWhatCannotBeFixed(t *testing.T) {
	t.Parallel()
	h, planner, _ := open(
		t,
		harbour.Ship{Name: "team/heard-of", Grade: lineage.GradeAnnotation},
		harbour.Ship{Name: "team/good"},
		harbour.Ship{Name: "team/on-heard-of", On: "team/heard-of"},
	)
	got := preview(t, planner, h.Question("ban-7"))
	want := []string{
		"1 team/good rebase",
		"1 team/heard-of problem: it cannot be rebased, and no record or signed provenance says which commit it was built from",
		"2 team/on-heard-of problem: host/team/heard-of@" + digestOf(t, h, "team/heard-of") + ", which it is made from, cannot be fixed: " +
			"it cannot be rebased, and no record or signed provenance says which commit it was built from",
	}
	texts := lines(h, got)
	for i := range texts {
		texts[i] = strings.Replace(texts[i], "unproven build-stage", "", 1)
		texts[i] = strings.Join(strings.Fields(texts[i]), " ")
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Error(diff)
	}
}

func TestImageThatTheRegistryLost(t *testing.T) {
	t.Parallel()
	h, planner, server := open(t, harbour.Ship{Name: "team/gone"})
	server.Inject(registrytest.Rule{Path: "/team/gone/manifests/", Fault: registrytest.Status(404, nil)})
	if got := preview(t, planner, h.Question("ban-7")); got.Items[0].Problem != "the registry does not have it any more" {
		t.Errorf("%+v", got.Items[0])
	}
}

// An image that cannot be judged, whatever the reason, is built again: the registry may lie about digests.
func TestRegistryThatLies(t *testing.T) {
	t.Parallel()
	h, planner, server := open(t, harbour.Ship{Name: "team/app"})
	server.Inject(registrytest.Rule{Path: "/team/app/manifests/", Fault: registrytest.Answer([]byte(`{"schemaVersion":2}`))})
	got := preview(t, planner, h.Question("ban-7")).Items[0]
	if got.Verb != rebuild.DoRebuild || len(got.Reasons) != 1 || got.Reasons[0].Code != rebuild.Unreadable {
		t.Errorf("%+v", got)
	}
}

func TestCycle(t *testing.T) {
	t.Parallel()
	h, planner, _ := open(t, harbour.Ship{Name: "team/a"}, harbour.Ship{Name: "team/b", On: "team/a"}, harbour.Ship{Name: "team/c", On: "team/b"})
	index, err := h.Client.Index(t.Context(), h.Host+"/team/a:1.0")
	if err != nil {
		t.Fatal(err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	err = h.Lineage.Put(t.Context(), lineage.Batch{Edges: []lineage.Edge{{ // a says that b was at work in its build
		Image: lineage.Image{Digest: list.Manifests[0].Digest.String()}, Base: digestOf(t, h, "team/b"), Name: h.Host + "/team/b:1.0", Role: lineage.RoleStage, Grade: lineage.GradeBuild,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	got := preview(t, planner, h.Question("ban-7"))
	for _, i := range got.Items {
		if !strings.Contains(i.Problem, "stands on itself") {
			t.Errorf("%s: %q", i.Repository, i.Problem)
		}
	}
	if len(got.Items) != 3 || len(got.Waves) != 0 {
		t.Errorf("%d items in %d waves", len(got.Items), len(got.Waves))
	}
}

func TestOwnerThatPins(t *testing.T) {
	t.Parallel()
	h, planner, _ := open(t, harbour.Ship{Name: "team/app"})
	planner.Policy = func(p catalog.Project, _ string) rebuild.Policy {
		if p.Repository != "https://git.example/team/app" {
			t.Errorf("asked for %+v", p)
		}
		return rebuild.Policy{Runs: true, Pinned: "certified as it is"}
	}
	got := preview(t, planner, h.Question("ban-7")).Items[0]
	if got.Verb != rebuild.DoRebuild || !slices.ContainsFunc(got.Reasons, func(r rebuild.Reason) bool { return r.Code == rebuild.Pinned }) {
		t.Errorf("%+v", got)
	}
}

const text = `version: 1
owner: ops@example.com
bases:
  - repository: HOST/base
    versions: ">=12.9 <13"
bans:
  - id: BAN-7
    repository: HOST/base
    versions: "<12.9"
    reason: CVE-2026-1234
    severity: critical
    denyFrom: 2026-01-01
    author: ana
    approver: ben
    replacement: {newest: ">=12.9 <13"}
exceptions:
  - id: pay-legacy
    project: {repository: https://git.example/pay/legacy}
    scope: {ban: BAN-7}
    reason: no driver
    owner: pay@example.com
    approver: ops@example.com
    until: 2027-03-31
`

func TestQuestionOfABan(t *testing.T) {
	t.Parallel()
	h, planner, server := open(t, harbour.Ship{Name: "team/app"}, harbour.Ship{Name: "pay/legacy"})
	cat, err := catalog.Load("catalog.yaml", []byte(strings.ReplaceAll(text, "HOST", h.Host)))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	q, err := storm.FromBan(cat, "BAN-7", h.Client, at)
	if err != nil {
		t.Fatal(err)
	}
	server.Reset()
	got := preview(t, planner, q)
	if got.Severity != "critical" || got.Because != "CVE-2026-1234" {
		t.Errorf("%+v", got)
	}
	want := []string{"1 team/app rebase", "1 pay/legacy problem: exception pay-legacy of pay@example.com holds until 2027-03-31"}
	if diff := cmp.Diff(want, lines(h, got)); diff != "" {
		t.Error(diff)
	}
	if got.Items[0].To != h.To {
		t.Errorf("moved to %s, want %s", got.Items[0].To, h.To)
	}
	if why, err := storm.Banned(cat, h.Host+"/base:12.8", digestOf(t, h, "team/app"), at); err != nil || !strings.Contains(why, "BAN-7") {
		t.Errorf("%q, %v", why, err)
	}
	if _, err := storm.FromBan(cat, "BAN-8", h.Client, at); err == nil {
		t.Error("a ban that is not there")
	}
}

func TestNoReplacement(t *testing.T) {
	t.Parallel()
	h, planner, _ := open(t, harbour.Ship{Name: "team/app"})
	without := strings.Replace(strings.ReplaceAll(text, "HOST", h.Host), `    replacement: {newest: ">=12.9 <13"}`+"\n", "", 1)
	cat, err := catalog.Load("catalog.yaml", []byte(without))
	if err != nil {
		t.Fatal(err)
	}
	q, err := storm.FromBan(cat, "BAN-7", h.Client, time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if got := preview(t, planner, q).Items[0]; got.Problem == "" || got.Verb != "" {
		t.Errorf("%+v", got)
	}
}

// A tag that moved: what stood on the image that it meant is brought onto the one that it means now.
func TestQuestionOfATag(t *testing.T) {
	t.Parallel()
	h, planner, _ := open(t, harbour.Ship{Name: "team/app"}, harbour.Ship{Name: "team/new", On: "base:12.9"})
	name := h.Host + "/base:12.8"
	if _, err := storm.FromTag(t.Context(), h.Lineage, name, strings.TrimPrefix(h.From, h.Host+"/base@")); err == nil {
		t.Error("it has not moved")
	}
	now := strings.TrimPrefix(h.To, h.Host+"/base@")
	q, err := storm.FromTag(t.Context(), h.Lineage, name, now)
	if err != nil {
		t.Fatal(err)
	}
	got := preview(t, planner, q)
	if diff := cmp.Diff([]string{"1 team/app rebase"}, lines(h, got)); diff != "" || got.Items[0].To != h.To || got.Campaign != "tag "+name {
		t.Errorf("%s%+v", diff, got)
	}
}
