package catalogtest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
)

const source = `version: 1
owner: linux-team
bases:
  - {repository: docker.io/library/debian, versions: ">=12.9 <13"}
substitutions:
  - {from: {repository: docker.io/library/debian, versions: ">=12 <12.9"}, to: {version: "12.9"}, reason: CVE-1}
`

func TestLoad(t *testing.T) {
	cases, err := catalogtest.Load("cases.yaml", []byte(`
- name: moved
  dockerfile: |
    FROM debian:12.8
  at: 2026-07-01
  project: {repository: https://git.example/a/b, labels: {tier: test}}
  registry:
    docker.io/library/debian:12.9: {created: 2026-06-01}
  want: ["move debian:12.8 to docker.io/library/debian:12.9"]
  findings: [DF1012]
- name: unlisted
  dockerfile: FROM evil
  want: [deny evil (DF1001)]
`))
	if err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Load("catalog.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	catalogtest.Run(t, cat, cases...)
	for _, tt := range []struct{ src, want string }{
		{"- name: x\n  wants: [a]\n", "wants"},
		{"- name: x\n", "case 1 has no name, or neither want nor findings"},
		{"name: x\n", "cases.yaml: "},
	} {
		if _, err := catalogtest.Load("cases.yaml", []byte(tt.src)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v", tt.src, err)
		}
	}
}

func TestInputs(t *testing.T) {
	var got []string
	for _, in := range catalogtest.Inputs(`# syntax=docker/dockerfile:1
ARG V=1.26
FROM golang:${V}-alpine AS build
COPY --from=nginx@`+catalogtest.Digest("x")+` /a /a
RUN --mount=type=cache,target=/c --mount=type=bind,from=localhost/tools,target=/t true
ADD --checksum=sha256:00 https://dl.example/x /x
ADD https://git.example/a/b.git#0123456789012345678901234567890123456789 /b
FROM build AS test
FROM scratch
COPY --from=build /a /a
`, nil) {
		got = append(got, fmt.Sprintf("%s %s %s %s %s %v", in.Place, in.Kind, in.Role, in.Ref, in.Digest, in.Runtime))
	}
	want := []string{
		"Dockerfile:1:10 image frontend docker.io/docker/dockerfile:1  false",
		"Dockerfile:3:6 image base docker.io/library/golang:1.26-alpine  false",
		"Dockerfile:4:13 image copy-from docker.io/library/nginx@" + catalogtest.Digest("x") + " " + catalogtest.Digest("x") + " false",
		"Dockerfile:5:57 image mount localhost/tools:latest  false",
		"Dockerfile:6:26 http add https://dl.example/x sha256:00 false",
		"Dockerfile:7:5 git add https://git.example/a/b.git#0123456789012345678901234567890123456789 0123456789012345678901234567890123456789 false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func ExampleCheck() {
	cat, err := catalog.Load("catalog.yaml", []byte(source))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(catalogtest.Check(context.Background(), cat, catalogtest.Case{
		Name: "moved", Dockerfile: "FROM debian:12.8", Registry: catalogtest.Tags("docker.io/library/debian:12.9"),
		Want: []string{"move debian:12.8 to docker.io/library/debian:12.9"},
	}))
	fmt.Println(catalogtest.Check(context.Background(), cat, catalogtest.Case{
		Name: "old", Dockerfile: "FROM debian:11", Want: []string{"allow debian:11"},
	}))
	// Output:
	// <nil>
	// old: want
	//   allow debian:11
	// got
	//   deny debian:11 (DF1001)
	//   DF1001
	//   Dockerfile:1:6: error: base image "docker.io/library/debian:11": tag 11 of docker.io/library/debian is not in the catalog (DF1001)
}
