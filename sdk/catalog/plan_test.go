package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func load(t testing.TB, src string) *catalog.Catalog {
	t.Helper()
	cat, err := catalog.Load("catalog.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

func loadFull(t testing.TB) *catalog.Catalog {
	t.Helper()
	src, err := os.ReadFile("testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Load("full.yaml", src)
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

func TestEntries(t *testing.T) {
	cat := load(t, `version: 1
owner: platform
bases:
  - {repository: docker.io/library/debian, versions: ">=12.4 <14", state: preferred, endOfLife: 2028-01-01}
  - {repository: docker.io/library/debian, versions: ">=12.4 <14", suffix: slim}
  - {repository: docker.io/library/debian, versions: 11.x, state: deprecated, since: 2026-03-01, until: 2026-09-30}
  - {repository: docker.io/library/debian, tags: ["12.7"], state: banned, note: broken}
  - {repository: docker.io/library/golang, versions: ">=1.25", suffix: "*", kinds: [build-only]}
  - {repository: docker.io/library/alpine, versions: ">=3.20", platforms: [linux/arm64]}
  - {repository: quay.example/pinned, digests: ["`+catalogtest.Digest("pinned")+`"]}
  - {repository: quay.example/both, tags: [stable], digests: ["`+catalogtest.Digest("pinned")+`"]}
  - {repository: docker.io/docker/dockerfile, digests: ["`+catalogtest.Digest("docker.io/docker/dockerfile:1.9")+`"], kinds: [frontend]}
  - {repository: quay.example/v, versions: ">=1", prefix: v}
  - {repository: quay.example/pre, versions: ">=1 <2", prereleases: true}
`)
	pinned := &catalogtest.Registry{Images: map[string]catalogtest.Image{
		"quay.example/pinned:a":    {Digest: catalogtest.Digest("pinned")},
		"quay.example/pinned:b":    {},
		"quay.example/both:stable": {Digest: catalogtest.Digest("pinned")},
		"quay.example/both:other":  {Digest: catalogtest.Digest("pinned")},
	}}
	alias := catalogtest.Tags("docker.io/library/debian:12.7")
	alias.Images["docker.io/library/debian:13"] = catalogtest.Image{Digest: catalogtest.Digest("docker.io/library/debian:12.7")}
	catalogtest.Run(t, cat, []catalogtest.Case{
		{Name: "in range", Dockerfile: "FROM debian:12.9", Want: []string{"allow debian:12.9"}, Findings: []string{}},
		{Name: "below range", Dockerfile: "FROM debian:12.3", Want: []string{"deny debian:12.3 (DF1001)"}},
		{Name: "floating tag inside", Dockerfile: "FROM debian:13", Want: []string{"allow debian:13"}},
		{Name: "floating tag partly outside", Dockerfile: "FROM debian:12", Want: []string{"deny debian:12 (DF1001)"}},
		{Name: "latest", Dockerfile: "FROM debian", Want: []string{"deny debian (DF1001)"}},
		{Name: "family", Dockerfile: "FROM debian:12.9-slim", Want: []string{"allow debian:12.9-slim"}},
		{Name: "other family", Dockerfile: "FROM debian:12.9-evil", Want: []string{"deny debian:12.9-evil (DF1001)"}},
		{Name: "pre-release", Dockerfile: "FROM debian:13-rc1", Want: []string{"deny debian:13-rc1 (DF1001)"}},
		{Name: "state banned", Dockerfile: "FROM debian:12.7", Want: []string{"deny debian:12.7 (DF1003)"}},
		{Name: "not yet deprecated", At: day("2026-02-01"), Dockerfile: "FROM debian:11.8", Want: []string{"allow debian:11.8"}, Findings: []string{}},
		{Name: "deprecated", At: day("2026-09-30"), Dockerfile: "FROM debian:11.8", Want: []string{"allow debian:11.8"}, Findings: []string{"DF1004"}},
		{Name: "retired", At: day("2026-10-01"), Dockerfile: "FROM debian:11.8", Want: []string{"deny debian:11.8 (DF1005)"}, Findings: []string{"DF1005"}},
		{Name: "end of life", At: day("2028-01-02"), Dockerfile: "FROM debian:12.9", Want: []string{"allow debian:12.9"}, Findings: []string{"DF1011"}},
		{Name: "another tag of what is banned", Registry: alias, Dockerfile: "FROM debian:13", Want: []string{"deny debian:13 (DF1003)"}},
		{Name: "build-only as runtime", Dockerfile: "FROM golang:1.26", Want: []string{"deny golang:1.26 (DF1006)"}},
		{
			Name: "build-only in a build stage", Dockerfile: "FROM golang:1.26-alpine AS build\nFROM debian:12.9\nCOPY --from=build /x /x\nCOPY --from=golang:1.26 /y /y\n",
			Want: []string{"allow golang:1.26-alpine", "allow debian:12.9", "allow golang:1.26"},
		},
		{Name: "runtime base in a build stage", Dockerfile: "FROM debian:12.9 AS build\nFROM debian:12.9-slim\n", Want: []string{"allow debian:12.9", "allow debian:12.9-slim"}},
		{Name: "other platform", Dockerfile: "FROM alpine:3.20", Want: []string{"deny alpine:3.20 (DF1007)"}},
		{Name: "digest behind any tag", Registry: pinned, Dockerfile: "FROM quay.example/pinned:a", Want: []string{"allow quay.example/pinned:a"}},
		{Name: "digest alone", Registry: pinned, Dockerfile: "FROM quay.example/pinned@" + catalogtest.Digest("pinned"), Want: []string{"allow quay.example/pinned@" + catalogtest.Digest("pinned")}},
		{Name: "another digest", Registry: pinned, Dockerfile: "FROM quay.example/pinned:b", Want: []string{"deny quay.example/pinned:b (DF1001)"}},
		{Name: "tag and digest listed", Registry: pinned, Dockerfile: "FROM quay.example/both:stable", Want: []string{"allow quay.example/both:stable"}},
		{Name: "digest listed for another tag", Registry: pinned, Dockerfile: "FROM quay.example/both:other", Want: []string{"deny quay.example/both:other (DF1001)"}},
		{Name: "frontend by digest", Dockerfile: "# syntax=docker/dockerfile:1.9\nFROM debian:12.9", Want: []string{"allow docker/dockerfile:1.9", "allow debian:12.9"}},
		{Name: "frontend of another digest", Dockerfile: "# syntax=docker/dockerfile:1.8\n", Want: []string{"deny docker/dockerfile:1.8 (DF1001)"}},
		{
			Name: "frontend pinned", Dockerfile: "# syntax=docker/dockerfile@" + catalogtest.Digest("docker.io/docker/dockerfile:1.9"),
			Want: []string{"allow docker/dockerfile@" + catalogtest.Digest("docker.io/docker/dockerfile:1.9")},
		},
		{
			Name: "frontend as a base", Dockerfile: "FROM docker/dockerfile@" + catalogtest.Digest("docker.io/docker/dockerfile:1.9"),
			Want: []string{"deny docker/dockerfile@" + catalogtest.Digest("docker.io/docker/dockerfile:1.9") + " (DF1006)"},
		},
		{Name: "base as a frontend", Dockerfile: "# syntax=debian:12.9\n", Want: []string{"deny debian:12.9 (DF1006)"}},
		{Name: "prefix", Dockerfile: "FROM quay.example/v:v1.2\nFROM quay.example/v:1.2", Want: []string{"allow quay.example/v:v1.2", "deny quay.example/v:1.2 (DF1001)"}},
		{
			Name: "pre-releases allowed", Dockerfile: "FROM quay.example/pre:1.5.0-rc.1\nFROM quay.example/pre:2.0.0-rc.1\nFROM quay.example/pre:1.0.0-rc.1",
			Want: []string{"allow quay.example/pre:1.5.0-rc.1", "deny quay.example/pre:2.0.0-rc.1 (DF1001)", "deny quay.example/pre:1.0.0-rc.1 (DF1001)"},
		},
		{Name: "not in the registry", Registry: catalogtest.Tags(), Dockerfile: "FROM debian:12.9", Want: []string{"deny debian:12.9 (DF1002)"}},
		{Name: "unlisted", Dockerfile: "FROM nginx:1", Want: []string{"deny nginx:1 (DF1001)"}},
	}...)
}

func TestPinned(t *testing.T) {
	cat := load(t, "version: 1\nowner: o\nbases:\n  - {repository: docker.io/library/debian, versions: \">=12\"}\n")
	registry := catalogtest.Tags("docker.io/library/debian:12.9", "docker.io/library/debian:11.1")
	now, old := catalogtest.Digest("docker.io/library/debian:12.9"), catalogtest.Digest("docker.io/library/debian:11.1")
	catalogtest.Run(t, cat,
		catalogtest.Case{Name: "pin is the tag", Registry: registry, Dockerfile: "FROM debian:12.9@" + now, Want: []string{"allow debian:12.9@" + now}},
		catalogtest.Case{Name: "pin is another image", Registry: registry, Dockerfile: "FROM debian:12.9@" + old, Want: []string{"deny debian:12.9@" + old + " (DF1008)"}},
		catalogtest.Case{Name: "pin without tag", Registry: registry, Dockerfile: "FROM debian@" + now, Want: []string{"deny debian@" + now + " (DF1001)"}},
	)
}

func TestAge(t *testing.T) {
	cat := load(t, `version: 1
owner: o
bases:
  - {repository: docker.io/library/debian, versions: ">=12", age: {min: 3d, max: 4w}}
substitutions:
  - {from: {repository: docker.io/library/debian, tags: ["11"]}, to: {tag: "12.3"}, reason: security, security: true}
`)
	registry := &catalogtest.Registry{Images: map[string]catalogtest.Image{
		"docker.io/library/debian:11":   {},
		"docker.io/library/debian:12.1": {Created: day("2026-05-01")},
		"docker.io/library/debian:12.2": {Created: day("2026-06-20")},
		"docker.io/library/debian:12.3": {Created: day("2026-06-30")},
		"docker.io/library/debian:12.4": {Created: day("1970-01-01")},
	}}
	catalogtest.Run(t, cat,
		catalogtest.Case{Name: "old", Registry: registry, Dockerfile: "FROM debian:12.1", Want: []string{"deny debian:12.1 (DF1010)"}},
		catalogtest.Case{Name: "good", Registry: registry, Dockerfile: "FROM debian:12.2", Want: []string{"allow debian:12.2"}},
		catalogtest.Case{Name: "young", Registry: registry, Dockerfile: "FROM debian:12.3", Want: []string{"deny debian:12.3 (DF1009)"}},
		catalogtest.Case{Name: "does not say", Registry: registry, Dockerfile: "FROM debian:12.4", Want: []string{"deny debian:12.4 (DF1009)"}},
		catalogtest.Case{Name: "young for security", Registry: registry, Dockerfile: "FROM debian:11", Want: []string{"move debian:11 to docker.io/library/debian:12.3"}},
	)
}

func TestSubstitutions(t *testing.T) {
	cat := load(t, `version: 1
owner: o
bases:
  - {repository: docker.io/library/debian, versions: ">=12.9 <13", suffix: "*"}
  - {repository: docker.io/library/redis, versions: ">=7", suffix: "*", age: {min: 1w}}
  - {repository: quay.example/new, tags: ["*"]}
  - {repository: docker.io/docker/dockerfile, digests: ["`+catalogtest.Digest("df")+`"], kinds: [frontend]}
  - {repository: quay.example/v, versions: ">=10", prefix: v}
substitutions:
  - {from: {repository: docker.io/library/debian, versions: ">=12 <12.9", suffix: "*"}, to: {version: "12.9"}, reason: CVE-1}
  - {from: {repository: quay.example/v, versions: ">=10.4 <10.4.9", prefix: v}, to: {version: 10.4.9}, reason: fix}
  - {from: {repository: docker.io/library/redis, versions: ">=6", suffix: "*"}, to: {newest: ">=7 <8"}, reason: keep up}
  - {from: {repository: quay.example/old}, to: {repository: quay.example/older}, reason: renamed}
  - {from: {repository: quay.example/older}, to: {repository: quay.example/new}, reason: renamed again}
  - {from: {repository: quay.example/bad, digests: ["`+catalogtest.Digest("quay.example/bad:1")+`"]}, to: {repository: quay.example/new, tag: "2"}, reason: bad build}
  - {from: {repository: quay.example/lost}, to: {repository: quay.example/nowhere}, reason: typo}
  - {from: {repository: docker.io/docker/dockerfile, tags: ["1"]}, to: {digest: "`+catalogtest.Digest("df")+`"}, reason: looked at}
`)
	registry := catalogtest.Tags("docker.io/library/debian:12", "docker.io/library/debian:12.8", "docker.io/library/debian:12.9", "docker.io/library/debian:12.9-slim",
		"quay.example/v:v10.4.8", "quay.example/v:v10.4.9", "quay.example/old:1", "quay.example/new:1", "quay.example/new:2", "quay.example/bad:1", "quay.example/nowhere:1", "quay.example/lost:1", "docker.io/docker/dockerfile:1",
		"docker.io/library/redis:6.1", "docker.io/library/redis:7.2.1", "docker.io/library/redis:7.2.1-alpine", "docker.io/library/redis:7.2.3",
		"docker.io/library/redis:7.3.0-rc1", "docker.io/library/redis:8.0.0", "docker.io/library/redis:7.2", "docker.io/library/redis:latest")
	registry.Images["docker.io/library/redis:7.2.4"] = catalogtest.Image{Created: day("2026-06-28")}
	cases := []catalogtest.Case{
		{Name: "by version", Dockerfile: "FROM debian:12.8", Want: []string{"move debian:12.8 to docker.io/library/debian:12.9"}, Findings: []string{"DF1012"}},
		{Name: "keeps the family", Dockerfile: "FROM debian:12.1-slim", Want: []string{"move debian:12.1-slim to docker.io/library/debian:12.9-slim"}},
		{Name: "at the target", Dockerfile: "FROM debian:12.9", Want: []string{"allow debian:12.9"}, Findings: []string{}},
		{Name: "floating tag stays", Dockerfile: "FROM debian:12", Want: []string{"deny debian:12 (DF1001)"}},
		{Name: "keeps the prefix", Dockerfile: "FROM quay.example/v:v10.4.8", Want: []string{"move quay.example/v:v10.4.8 to quay.example/v:v10.4.9"}},
		{Name: "from what is gone from the registry", Dockerfile: "FROM debian:12.5", Want: []string{"move debian:12.5 to docker.io/library/debian:12.9"}},
		{Name: "newest past its cool-down", Dockerfile: "FROM redis:6.1", Want: []string{"move redis:6.1 to docker.io/library/redis:7.2.3"}},
		{Name: "newest of the family", Dockerfile: "FROM redis:6.0-alpine", Want: []string{"move redis:6.0-alpine to docker.io/library/redis:7.2.1-alpine"}},
		{Name: "newest never goes back", Dockerfile: "FROM redis:8.0.0", Want: []string{"allow redis:8.0.0"}},
		{Name: "chain", Dockerfile: "FROM quay.example/old:1", Want: []string{"move quay.example/old:1 to quay.example/new:1"}},
		{Name: "by digest", Dockerfile: "FROM quay.example/bad:1", Want: []string{"move quay.example/bad:1 to quay.example/new:2"}},
		{Name: "to what is not listed", Dockerfile: "FROM quay.example/lost:1", Want: []string{"deny quay.example/lost:1 (DF1001)"}},
		{
			Name: "frontend", Dockerfile: "# syntax=docker/dockerfile:1\nFROM debian:12.9",
			Want: []string{"move docker/dockerfile:1 to docker.io/docker/dockerfile@" + catalogtest.Digest("df"), "allow debian:12.9"},
		},
		{
			Name: "pinned to what is moved", Dockerfile: "FROM debian:12.8@" + catalogtest.Digest("docker.io/library/debian:12.8"),
			Want: []string{"move debian:12.8@" + catalogtest.Digest("docker.io/library/debian:12.8") + " to docker.io/library/debian:12.9"},
		},
		{
			Name: "copy and mount", Dockerfile: "FROM debian:12.9\nCOPY --from=debian:12.8 /a /a\nRUN --mount=type=bind,from=debian:12.7-slim ls\n",
			Want: []string{"allow debian:12.9", "move debian:12.8 to docker.io/library/debian:12.9", "move debian:12.7-slim to docker.io/library/debian:12.9-slim"},
		},
	}
	for i := range cases {
		cases[i].Registry = registry
	}
	catalogtest.Run(t, cat, cases...)
}

func TestWhatNoWordSaysIsNotMoved(t *testing.T) {
	cat := load(t, `version: 1
owner: o
bases: [{repository: docker.io/library/debian, tags: ["*"]}]
contexts: {allow: [base]}
substitutions: [{from: {repository: docker.io/library/debian, tags: ["1"]}, to: {tag: "2"}, reason: r}]
`)
	in := catalog.Input{
		Kind: catalog.KindImage, Role: catalog.RoleOnBuild, Platform: "linux/amd64", Written: "debian:1", Ref: "docker.io/library/debian:1",
		Digest: catalogtest.Digest("1"), Reachable: true,
	}
	given := in
	given.Kind, given.Role, given.Written = catalog.KindContext, catalog.RoleContext, "base"
	catalogtest.Run(t, cat,
		catalogtest.Case{Name: "trigger", Inputs: []catalog.Input{in}, Want: []string{"deny debian:1 (DF1013)"}},
		catalogtest.Case{Name: "context", Inputs: []catalog.Input{given}, Want: []string{"deny base (DF1013)"}},
	)
}

func TestPlatforms(t *testing.T) {
	cat := load(t, "version: 1\nowner: o\nbases: [{repository: quay.example/x, tags: [\"*\"], platforms: [linux/amd64]}]\n")
	catalogtest.Run(t, cat, catalogtest.Case{
		Name: "one of two", Inputs: platformInputs("quay.example/x:1", "quay.example/x:1"), Want: []string{"allow x-$ARCH", "deny x-$ARCH (DF1007)"},
	})
}

// The names of a plan's fields are in records that outlive programs.
func TestPlanJSON(t *testing.T) {
	plan, err := catalogtest.Plan(t.Context(), load(t, governed), catalogtest.Case{
		Project:    catalog.Project{Repository: "https://git.example/shop/cart", Directory: "services/cart"},
		Dockerfile: "FROM nginx:1.27 AS a\nFROM debian:12.10 AS b\nFROM debian:12.8\nCOPY --from=evil:1 / /\n",
		Registry: catalogtest.Tags("docker.io/library/nginx:1.27", "docker.io/library/debian:12.10", "docker.io/library/debian:12.8",
			"docker.io/library/debian:12.9", "docker.io/library/evil:1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/plan.json"
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Error(diff)
	}
}

func TestMoveNeedsItsTarget(t *testing.T) {
	cat := load(t, `version: 1
owner: o
bases: [{repository: docker.io/library/debian, tags: ["*"]}]
substitutions: [{from: {repository: docker.io/library/debian, tags: ["1"]}, to: {tag: "2"}, reason: r}]
`)
	plan, err := catalogtest.Plan(t.Context(), cat, catalogtest.Case{Dockerfile: "FROM debian:1", Registry: catalogtest.Tags("docker.io/library/debian:1")})
	const want = "Dockerfile:1:6: moving docker.io/library/debian:1: docker.io/library/debian:2: not found"
	if plan != nil || err == nil || err.Error() != want {
		t.Errorf("got %v, %v, want %s", plan, err, want)
	}
}

func TestNewestOfManyTags(t *testing.T) {
	cat := load(t, `version: 1
owner: o
bases: [{repository: docker.io/library/debian, versions: ">=1 <500"}]
substitutions: [{from: {repository: docker.io/library/debian, tags: ["1.0"]}, to: {newest: ">=1"}, reason: r}]
`)
	registry := catalogtest.Tags("docker.io/library/debian:1.0")
	for i := range 100_000 {
		registry.Images[fmt.Sprintf("docker.io/library/debian:%d.%d", i/100, i%100)] = catalogtest.Image{}
	}
	catalogtest.Run(t, cat, catalogtest.Case{
		Name: "100,000 tags", Registry: registry, Dockerfile: "FROM debian:1.0", Want: []string{"move debian:1.0 to docker.io/library/debian:499.99"},
	})
	want := []string{"tags docker.io/library/debian", "resolve docker.io/library/debian:499.99"}
	if diff := cmp.Diff(want, registry.Asked()); diff != "" {
		t.Error(diff)
	}
}

func TestLoopAtRunTime(t *testing.T) {
	cat := load(t, `version: 1
owner: o
bases: [{repository: quay.example/a, tags: ["*"]}, {repository: quay.example/b, tags: ["*"]}]
substitutions:
  - {from: {repository: quay.example/a}, to: {repository: quay.example/b, newest: ">=1"}, reason: r}
  - {from: {repository: quay.example/b}, to: {repository: quay.example/a, newest: ">=1"}, reason: r}
`)
	catalogtest.Run(t, cat, catalogtest.Case{
		Name: "loop", Dockerfile: "FROM quay.example/a:1", Registry: catalogtest.Tags("quay.example/a:1", "quay.example/b:1"),
		Want: []string{"deny quay.example/a:1 (DF1013)"},
	})
}

func TestSources(t *testing.T) {
	cat := loadFull(t)
	const sum = "sha256:0000000000000000000000000000000000000000000000000000000000000001"
	const commit = "0123456789012345678901234567890123456789"
	allow := func(line string) []string { return []string{"allow " + line} }
	catalogtest.Run(t, cat, []catalogtest.Case{
		{Name: "http with checksum", Dockerfile: "ADD --checksum=" + sum + " https://dl.example/releases/a.tgz /", Want: allow("https://dl.example/releases/a.tgz")},
		{Name: "http without checksum", Dockerfile: "ADD https://dl.example/releases/a.tgz /", Want: []string{"deny https://dl.example/releases/a.tgz (DF1021)"}},
		{Name: "http without encryption", Dockerfile: "ADD --checksum=" + sum + " http://dl.example/releases/a.tgz /", Want: []string{"deny http://dl.example/releases/a.tgz (DF1020)"}},
		{Name: "unpinned host", Dockerfile: "ADD http://mirror.example:8080/x /", Want: allow("http://mirror.example:8080/x")},
		{Name: "other port", Dockerfile: "ADD http://mirror.example/x /", Want: []string{"deny http://mirror.example/x (DF1020)"}},
		{Name: "default port", Dockerfile: "ADD --checksum=" + sum + " https://dl.example:443/releases/a /", Want: allow("https://dl.example:443/releases/a")},
		{Name: "git by commit", Dockerfile: "ADD https://git.example/tools/x.git#" + commit + " /", Want: allow("https://git.example/tools/x.git#" + commit)},
		{Name: "git by branch", Dockerfile: "ADD https://git.example/tools/x.git#main /", Want: []string{"deny https://git.example/tools/x.git#main (DF1023)"}},
		{Name: "git over ssh", Dockerfile: "ADD git@git.example:tools/x.git#" + commit + " /", Want: allow("git@git.example:tools/x.git#" + commit)},
		{Name: "git without encryption", Dockerfile: "ADD git://git.example/tools/x.git#" + commit + " /", Want: []string{"deny git://git.example/tools/x.git#" + commit + " (DF1022)"}},
		{Name: "git elsewhere", Dockerfile: "ADD https://git.example/toolsx/x.git#" + commit + " /", Want: []string{"deny https://git.example/toolsx/x.git#" + commit + " (DF1022)"}},
	}...)
	context := func(name, ref string) []catalog.Input {
		return []catalog.Input{{Kind: catalog.KindContext, Role: catalog.RoleContext, Platform: "linux/amd64", Written: name, Ref: ref, Reachable: true}}
	}
	image := func(name, ref string) []catalog.Input {
		return []catalog.Input{{
			Kind: catalog.KindContext, Role: catalog.RoleContext, Platform: "linux/amd64", Written: name, Ref: ref, Digest: catalogtest.Digest(ref), Reachable: true,
		}}
	}
	catalogtest.Run(t, cat, []catalogtest.Case{
		{Name: "context allowed", Inputs: context("docs-en", "docs/en"), Want: []string{"allow docs-en"}},
		{Name: "context denied", Inputs: context("debian", "docs/en"), Want: []string{"deny debian (DF1024)"}},
		{Name: "context from the web", Inputs: context("docs-en", "https://evil.example/x.tgz"), Want: []string{"deny docs-en (DF1024)"}},
		{Name: "context from a layout", Inputs: context("docs-en", "oci-layout://x@sha256:1"), Want: []string{"deny docs-en (DF1024)"}},
		{Name: "image as context allowed", Inputs: image("docs-en", "docker.io/library/debian:13.1-slim"), Want: []string{"allow docs-en"}},
		{Name: "build-only image as context", Inputs: image("docs-en", "docker.io/library/golang:1.26"), Want: []string{"deny docs-en (DF1006)"}},
		{Name: "image as context not listed", Inputs: image("docs-en", "docker.io/library/evil:1"), Want: []string{"deny docs-en (DF1001)"}},
		{Name: "image as context with another name", Inputs: image("x", "docker.io/library/golang:1.26"), Want: []string{"deny x (DF1024)"}},
		{Name: "arguments", Dockerfile: "ARG VERSION=12.9\nFROM debian:${VERSION}\n", Want: allow("debian:${VERSION}"), Findings: []string{}},
		{Name: "other arguments", Dockerfile: "ARG NAME=debian\nFROM ${NAME}:12.9\n", Want: allow("${NAME}:12.9"), Findings: []string{"DF1025"}},
		{Name: "platform arguments", Dockerfile: "ARG TARGETARCH=12.9\nFROM debian:$TARGETARCH\n", Want: allow("debian:$TARGETARCH"), Findings: []string{}},
		{Name: "reserved argument", Args: []string{"VERSION", "BUILDKIT_SYNTAX"}, Dockerfile: "FROM debian:12.9", Want: allow("debian:12.9"), Findings: []string{"DF1026"}},
	}...)
}

func TestUnreachable(t *testing.T) {
	cat := loadFull(t)
	inputs := catalogtest.Inputs("FROM evil:1 AS x\nFROM debian:12.9\n", catalogtest.Tags("docker.io/library/debian:12.9"))
	inputs[0].Reachable = false
	registry := catalogtest.Tags("docker.io/library/debian:12.9")
	plan, err := cat.Plan(t.Context(), catalog.Question{Inputs: inputs, At: day("2026-07-01")}, registry)
	if err != nil {
		t.Fatal(err)
	}
	if err := finding.Gate(plan.Findings, finding.Error); err != nil {
		t.Errorf("a stage that is not needed stops the build: %v", err)
	}
	if err := finding.Gate(plan.Findings, finding.Warning); err == nil || plan.Decisions[0].Allowed {
		t.Error("a stage that is not needed and not allowed is not told")
	}
	want := []catalog.Source{{Kind: "image", Ref: "docker.io/library/debian:12.9@" + catalogtest.Digest("docker.io/library/debian:12.9")}}
	if diff := cmp.Diff(want, plan.Sources()); diff != "" {
		t.Error(diff)
	}
	text, err := plan.Rewrite([]byte("FROM evil:1 AS x\nFROM debian:12.9\n"))
	if err != nil || !strings.HasPrefix(string(text), "FROM evil:1 AS x\nFROM debian:12.9@sha256:") {
		t.Errorf("Rewrite = %q, %v", text, err)
	}
}

func TestFactsFail(t *testing.T) {
	down := errors.New("connection refused")
	cat := loadFull(t)
	for _, tt := range []struct{ name, dockerfile string }{
		{"age", "FROM debian:12.9"},
		{"newest", "FROM registry.example:5000/team/app-base:v1.2.0"},
		{"moved", "FROM debian:12.8-slim"},
		{"signature", "FROM registry.example/signed:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inputs := catalogtest.Inputs(tt.dockerfile, catalogtest.Tags())
			inputs[0].Digest = catalogtest.Digest("x")
			plan, err := cat.Plan(t.Context(), catalog.Question{Inputs: inputs, At: day("2026-07-01")}, &catalogtest.Registry{Err: down})
			if plan != nil || !errors.Is(err, down) || !strings.HasPrefix(err.Error(), "Dockerfile:1:6: ") {
				t.Errorf("got %v, %v", plan, err)
			}
			plan, err = cat.Plan(t.Context(), catalog.Question{Inputs: inputs, At: day("2026-07-01")}, nil)
			if plan != nil || err == nil {
				t.Errorf("without facts: %v, %v", plan, err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := cat.Plan(ctx, catalog.Question{Inputs: catalogtest.Inputs("FROM debian:12.8-slim", nil), At: day("2026-07-01")}, catalogtest.Tags()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestEachFactIsAskedOnce(t *testing.T) {
	cat := loadFull(t)
	registry := catalogtest.Tags("docker.io/library/debian:12", "docker.io/library/debian:12.8", "docker.io/library/debian:12.9")
	plan, err := catalogtest.Plan(t.Context(), cat, catalogtest.Case{
		Dockerfile: "FROM debian:12.8 AS a\nFROM debian:12.8 AS b\nFROM debian:12.8\nCOPY --from=debian:12.8 / /\n", Registry: registry, At: day("2026-07-01"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"resolve docker.io/library/debian:12.9", "tags docker.io/library/debian"} // one of which is banned
	if diff := cmp.Diff(want, registry.Asked()); diff != "" {
		t.Error(diff)
	}
	if len(plan.Decisions) != 4 {
		t.Error(plan.Decisions)
	}
}
