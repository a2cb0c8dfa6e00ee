package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

const kept = `version: 1
owner: ops
bases:
  - {repository: docker.io/library/debian, versions: ">=12 <13"}
  - {repository: docker.io/library/golang, tags: ["1.30"]}
  - {repository: docker.io/library/alpine, tags: ["3.9"], state: banned}
substitutions:
  - {from: {repository: docker.io/library/busybox, tags: ["9"]}, to: {repository: docker.io/library/debian, tag: "12.9.0"}, reason: r}
exceptions:
  - {id: idle, project: {repository: https://git.example/a/b}, scope: {image: {repository: docker.io/library/debian, versions: "12.4.x"}}, reason: r, owner: o, approver: p, until: 2027-01-01}
  - {id: gone, project: {repository: https://git.example/a/b}, scope: {image: {repository: docker.io/library/ruby, tags: ["1.8"]}}, reason: r, owner: o, approver: p, until: 2027-01-01}
  - {id: lifted, project: {repository: https://git.example/a/b}, scope: {ban: b}, reason: r, owner: o, approver: p, until: 2027-01-01}
  - {id: used, project: {repository: https://git.example/a/b}, scope: {image: {repository: docker.io/library/node, tags: ["18"]}}, reason: r, owner: o, approver: p, until: 2027-01-01}
  - {id: rule, project: {repository: https://git.example/a/b}, scope: {rule: DF2003}, reason: r, owner: o, approver: p, until: 2027-01-01}
  - {id: over, project: {repository: https://git.example/a/b}, scope: {rule: DF2004}, reason: r, owner: o, approver: p, until: 2026-01-01}
bans:
  - {id: b, repository: docker.io/library/redis, reason: r, author: a, approver: p, denyFrom: 2026-01-01, lifted: {at: 2026-02-01, by: x, reason: y}}
`

func lines(findings []finding.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, fmt.Sprintf("%s %s: %s", f.Rule, f.Place, f.Message))
	}
	return out
}

func TestReviewFindsWhatNothingNeeds(t *testing.T) {
	want := []string{
		"DF1034 catalog.yaml:10:5: exception idle for https://git.example/a/b can't be needed: the entry at catalog.yaml:4:5 allows all of it",
		"DF1034 catalog.yaml:12:5: exception lifted for https://git.example/a/b can't be needed: ban b was lifted",
		"DF1032 catalog.yaml:15:5: exception over for https://git.example/a/b ended with 2026-01-01",
	}
	if diff := cmp.Diff(want, lines(load(t, kept).Review(day("2026-07-01")))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestInspect(t *testing.T) {
	registry := catalogtest.Tags("docker.io/library/debian:12.9.0", "docker.io/library/debian:11.1.0", "docker.io/library/golang:1.26",
		"docker.io/library/ruby:3", "docker.io/library/node:18", "docker.io/library/busybox:1")
	got, err := load(t, kept).Inspect(t.Context(), registry)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"DF1041 catalog.yaml:5:5: entry docker.io/library/golang tags 1.30 matches none of the 1 tags of its repository",
		"DF1041 catalog.yaml:8:5: substitution of docker.io/library/busybox tags 9 matches none of the 1 tags of its repository",
		"DF1034 catalog.yaml:10:5: exception idle for docker.io/library/debian versions 12.4.x matches none of the 2 tags of its repository",
		"DF1034 catalog.yaml:11:5: exception gone for docker.io/library/ruby tags 1.8 matches none of the 1 tags of its repository",
	}
	if diff := cmp.Diff(want, lines(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, question := range registry.Asked() {
		if strings.Contains(question, "redis") || strings.Contains(question, "alpine") {
			t.Errorf("asked %q: what is banned may be gone", question)
		}
	}
}

// One registry of several is down: what the others say is told all the same.
func TestInspectWithARegistryDown(t *testing.T) {
	down := errors.New("no route to host")
	got, err := load(t, kept).Inspect(t.Context(), tags(func(repository string) ([]string, error) {
		if strings.HasSuffix(repository, "debian") {
			return nil, down
		}
		return []string{"1.30", "9", "1.8", "18"}, nil
	}))
	if !errors.Is(err, down) || len(got) != 0 {
		t.Errorf("got %v, %v", lines(got), err)
	}
}

type tags func(repository string) ([]string, error)

func (f tags) Tags(_ context.Context, repository string) ([]string, error) { return f(repository) }
func (f tags) Resolve(context.Context, string) (digest string, err error)  { return "", nil }

func TestInspectOfHugeRepositories(t *testing.T) {
	all := make([]string, 100_000)
	for i := range all {
		all[i] = fmt.Sprintf("%d.%d.%d", i/1000, i%1000, i%7)
	}
	got, err := load(t, kept).Inspect(t.Context(), tags(func(string) ([]string, error) { return all, nil }))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"DF1034", "DF1034", "DF1041", "DF1041"}, sortedRules(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func sortedRules(findings []finding.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, f.Rule)
	}
	slices.Sort(out)
	return out
}

func TestTally(t *testing.T) {
	cat := load(t, kept)
	project := catalog.Project{Repository: "https://git.example/a/b"}
	var tally catalog.Tally
	for range 2 {
		plan, err := catalogtest.Plan(t.Context(), cat, catalogtest.Case{Dockerfile: "FROM node:18\nFROM debian:12.9.0", Project: project})
		if err != nil {
			t.Fatal(err)
		}
		tally.Add(plan)
	}
	suppressed, err := cat.Suppress(project, day("2026-07-01"), []finding.Finding{{Rule: "DF2003", Severity: finding.Error, Message: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	tally.AddSuppressed(cat, suppressed)
	var uses []string
	for _, e := range tally.Exceptions(cat) {
		uses = append(uses, fmt.Sprintf("%s %d", e.ID, e.Uses))
	}
	if diff := cmp.Diff([]string{"used 2", "rule 1", "idle 0", "gone 0", "lifted 0", "over 0"}, uses); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	want := []string{
		"DF1033 catalog.yaml:10:5: exception idle for https://git.example/a/b was needed by none of 2 definitions",
		"DF1033 catalog.yaml:11:5: exception gone for https://git.example/a/b was needed by none of 2 definitions",
		"DF1033 catalog.yaml:12:5: exception lifted for https://git.example/a/b was needed by none of 2 definitions",
	}
	if diff := cmp.Diff(want, lines(tally.Findings(cat, day("2026-07-01")))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestChanges(t *testing.T) {
	before := load(t, kept)
	after := load(t, strings.NewReplacer(
		"owner: ops", "owner: ops2",
		`  - {repository: docker.io/library/golang, tags: ["1.30"]}`+"\n", "",
		`until: 2027-01-01}`+"\n"+`  - {id: over`, `until: 2027-02-01}`+"\n"+`  - {id: over`,
	).Replace(kept)+"  - {id: c, repository: docker.io/library/nginx, reason: r, author: a, approver: p, denyFrom: 2026-01-01}\n")
	texts := func(changes []catalog.Change) []string {
		var out []string
		for _, c := range changes {
			out = append(out, c.String())
		}
		return out
	}
	want := []string{
		"changed base docker.io/library/debian versions >=12 <13 (catalog.yaml:4:5)",
		"changed base docker.io/library/alpine tags 3.9 (catalog.yaml:5:5)",
		"removed base docker.io/library/golang tags 1.30 (catalog.yaml:5:5)",
		"changed substitution docker.io/library/busybox tags 9 (catalog.yaml:7:5)",
		"changed exception rule (catalog.yaml:13:5)",
		"added ban c (catalog.yaml:17:5)",
		"changed settings",
	}
	if diff := cmp.Diff(want, texts(catalog.Changes(before, after))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := catalog.Changes(before, before); got != nil {
		t.Errorf("no change: %v", got)
	}
	in := strings.Replace(kept, ", lifted: {at: 2026-02-01, by: x, reason: y}", "", 1)
	if diff := cmp.Diff([]string{"lifted ban b (catalog.yaml:17:5)"}, texts(catalog.Changes(load(t, in), before))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFactSet(t *testing.T) {
	registry := catalogtest.Tags("docker.io/library/debian:12")
	set := catalog.FactSet{Facts: registry}
	ref := "docker.io/library/debian@" + catalogtest.Digest("docker.io/library/debian:12")
	if _, err := set.Config(t.Context(), ref, "linux/amd64"); err != nil {
		t.Error(err)
	}
	if _, err := set.Signed(t.Context(), ref, "key"); err == nil {
		t.Error("a signature was checked by nobody")
	}
	if _, err := set.Carries(t.Context(), ref, "linux/amd64", catalog.Package{Name: "x"}); err == nil {
		t.Error("packages were read by nobody")
	}
	if _, err := (catalog.FactSet{Facts: tags(nil)}).Config(t.Context(), ref, "linux/amd64"); err == nil {
		t.Error("a config was read by nobody")
	}
	set.Signatures, set.Packages = registry, registry
	if signed, err := set.Signed(t.Context(), ref, "key"); signed || err != nil {
		t.Error(signed, err)
	}
	if carries, err := set.Carries(t.Context(), ref, "linux/amd64", catalog.Package{Name: "x"}); carries || err != nil {
		t.Error(carries, err)
	}
}
