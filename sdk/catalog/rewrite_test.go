package catalog_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
)

const rewriteCatalog = `version: 1
owner: o
bases:
  - {repository: docker.io/library/debian, versions: ">=12.9 <14", suffix: "*"}
  - {repository: docker.io/library/golang, tags: ["*"], kinds: [build-only]}
  - {repository: registry.example:5000/team/base, tags: ["*"]}
  - {repository: docker.io/docker/dockerfile, digests: ["sha256:0000000000000000000000000000000000000000000000000000000000000001"], kinds: [frontend]}
http: [{host: dl.example, unpinned: true}]
substitutions:
  - {from: {repository: docker.io/library/debian, versions: ">=12 <12.9", suffix: "*"}, to: {version: "12.9"}, reason: CVE-1}
  - {from: {repository: docker.io/library/centos}, to: {repository: registry.example:5000/team/base, tag: "9"}, reason: end of life}
  - {from: {repository: docker.io/docker/dockerfile}, to: {digest: "sha256:0000000000000000000000000000000000000000000000000000000000000001"}, reason: known}
`

func rewritten(t *testing.T, dockerfile string) string {
	t.Helper()
	registry := catalogtest.Tags("docker.io/library/debian:12.9", "docker.io/library/debian:12.9-slim", "docker.io/library/debian:13.1",
		"docker.io/library/golang:1.26", "registry.example:5000/team/base:9", "registry.example:5000/team/base:latest", "docker.io/docker/dockerfile:1")
	plan, err := catalogtest.Plan(t.Context(), load(t, rewriteCatalog), catalogtest.Case{Dockerfile: dockerfile, Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	got, err := plan.Rewrite([]byte(dockerfile))
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	for ref := range registry.Images {
		text = strings.ReplaceAll(text, "@"+catalogtest.Digest(ref), "@<"+ref[strings.LastIndexByte(ref, '/')+1:]+">")
	}
	return text
}

func TestRewrite(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"short name", "FROM debian:12.9\n", "FROM debian:12.9@<debian:12.9>\n"},
		{"moved", "FROM debian:12.8-slim AS x\n", "FROM debian:12.9-slim@<debian:12.9-slim> AS x\n"},
		{"half short name", "FROM library/debian:12.9\n", "FROM library/debian:12.9@<debian:12.9>\n"},
		{"full name", "FROM docker.io/library/debian:12.9\n", "FROM docker.io/library/debian:12.9@<debian:12.9>\n"},
		{"other registry", "FROM registry.example:5000/team/base\n", "FROM registry.example:5000/team/base:latest@<base:latest>\n"},
		{"successor", "FROM centos:7\n", "FROM registry.example:5000/team/base:9@<base:9>\n"},
		{"pinned before", "FROM debian:12.9@" + catalogtest.Digest("docker.io/library/debian:12.9") + "\n", "FROM debian:12.9@<debian:12.9>\n"},
		{
			"composed", "ARG BASE=debian\nARG V=12.8\nFROM ${BASE}:${V}-slim\nRUN echo ${BASE} ${V}\n",
			"ARG BASE=debian\nARG V=12.8\nFROM docker.io/library/debian:12.9-slim@<debian:12.9-slim>\nRUN echo ${BASE} ${V}\n",
		},
		{
			"every use, nothing else", "\xef\xbb\xbf# syntax=docker/dockerfile:1\r\n# escape=`\r\n\r\n# FROM debian:12.8\r\nFROM golang:1.26 AS debian\r\nFROM scratch\r\nCOPY --from=debian /a /a\r\nCOPY --from=debian:12.8 /debian:12.8 /\r\nRUN --mount=type=bind,from=debian:12.9,target=/x true\r\nADD https://dl.example/x /\r\n",
			"\xef\xbb\xbf# escape=`\r\n\r\n# FROM debian:12.8\r\nFROM golang:1.26@<golang:1.26> AS debian\r\nFROM scratch\r\nCOPY --from=debian /a /a\r\nCOPY --from=debian:12.9@<debian:12.9> /debian:12.8 /\r\nRUN --mount=type=bind,from=debian:12.9@<debian:12.9>,target=/x true\r\nADD https://dl.example/x /\r\n",
		},
		{"syntax twice", "# syntax=docker/dockerfile:1\n# escape=\\\n# syntax=evil\n# syntax=evil2\nFROM debian:13.1\n", "# escape=\\\nFROM debian:13.1@<debian:13.1>\n"},
		{"no line break at the end", "FROM debian:13.1", "FROM debian:13.1@<debian:13.1>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := rewritten(t, tt.in)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRewriteTwice(t *testing.T) {
	registry := catalogtest.Tags("docker.io/library/debian:12.9")
	cat := load(t, rewriteCatalog)
	text := []byte("FROM debian:12.8\n")
	for range 2 {
		plan, err := catalogtest.Plan(t.Context(), cat, catalogtest.Case{Dockerfile: string(text), Registry: registry})
		if err != nil {
			t.Fatal(err)
		}
		before := string(text)
		if text, err = plan.Rewrite(text); err != nil {
			t.Fatal(err)
		}
		if plan.Decisions[0].Moved != (before == "FROM debian:12.8\n") {
			t.Errorf("from %q to %q: moved %v", before, text, plan.Decisions[0].Moved)
		}
	}
}

func platformInputs(refs ...string) []catalog.Input {
	var inputs []catalog.Input
	for i, platform := range []string{"linux/amd64", "linux/arm64"} {
		in := catalogtest.Inputs("FROM x-$ARCH\n", nil)[0]
		in.Platform, in.Ref, in.Digest = platform, refs[i], catalogtest.Digest(refs[i])
		inputs = append(inputs, in)
	}
	return inputs
}

func TestPlatformsDiffer(t *testing.T) {
	cat := load(t, "version: 1\nowner: o\nbases: [{repository: quay.example/x, tags: [\"*\"]}]\n")
	src := []byte("FROM x-$ARCH\n")
	plan, err := cat.Plan(t.Context(), catalog.Question{Inputs: platformInputs("quay.example/x:amd64", "quay.example/x:arm64"), At: day("2026-07-01")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var differ *catalog.PlatformsDifferError
	if _, err := plan.Rewrite(src); !errors.As(err, &differ) || differ.Place.String() != "Dockerfile:1:6" || len(differ.Texts) != 2 {
		t.Errorf("got %v", err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		got, err := plan.RewriteFor("linux/"+arch, src)
		want := "FROM quay.example/x:" + arch + "@" + catalogtest.Digest("quay.example/x:"+arch) + "\n"
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", arch, got, err)
		}
	}
	plan, err = cat.Plan(t.Context(), catalog.Question{Inputs: platformInputs("quay.example/x:1", "quay.example/x:1"), At: day("2026-07-01")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if edits, err := plan.Edits(src); err != nil || len(edits) != 1 {
		t.Errorf("the same on both: %v, %v", edits, err)
	}
}

func TestRewriteRefuses(t *testing.T) {
	cat := load(t, rewriteCatalog)
	for _, tt := range []struct{ name, dockerfile, src, want string }{
		{"a denied plan", "FROM evil:1\n", "FROM evil:1\n", "Dockerfile:1:6: the plan denies an input: docker.io/library/evil:1"},
		{"another text", "FROM debian:13.1\n", "from  debian:13.1\n", `Dockerfile:1:6: the text given has " debian:13." where the inputs were read from has "debian:13.1"`},
		{"a shorter text", "FROM debian:13.1\n", "FROM x", "Dockerfile:1:6: docker.io/library/debian:13.1 has no place in the text given"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan, err := catalogtest.Plan(t.Context(), cat, catalogtest.Case{Dockerfile: tt.dockerfile})
			if err != nil {
				t.Fatal(err)
			}
			got, err := plan.Rewrite([]byte(tt.src))
			if got != nil || err == nil || err.Error() != tt.want {
				t.Errorf("got %q, %v", got, err)
			}
			if denied := tt.name == "a denied plan"; errors.Is(err, catalog.ErrDenied) != denied {
				t.Errorf("%v is ErrDenied: %v", err, !denied)
			}
		})
	}
}

func TestMoveHasAFix(t *testing.T) {
	plan, err := catalogtest.Plan(t.Context(), load(t, rewriteCatalog), catalogtest.Case{
		Dockerfile: "FROM debian:12.8\n", Registry: catalogtest.Tags("docker.io/library/debian:12.9"),
	})
	if err != nil {
		t.Fatal(err)
	}
	digest := catalogtest.Digest("docker.io/library/debian:12.9")
	f := plan.Findings[0]
	want := `Dockerfile:1:6: info: base image "docker.io/library/debian:12.8" is moved to docker.io/library/debian:12.9@` + digest + `: CVE-1 (DF1012)`
	if diff := cmp.Diff(want, f.String()); diff != "" {
		t.Error(diff)
	}
	if fix := f.Fixes[0]; fix.Message != "use debian:12.9@"+digest || fix.Edits[0].New != "debian:12.9@"+digest || fix.Edits[0].Start != 5 || fix.Edits[0].End != 16 {
		t.Errorf("%+v", fix)
	}
}
