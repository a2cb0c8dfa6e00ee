package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
)

func TestHelpIsAWayOut(t *testing.T) {
	cat := load(t, `version: 1
owner: platform
owners: {platform: "#platform on chat", linux: linux@example.com}
bases:
  - {repository: docker.io/library/debian, versions: ">=12 <13", owner: linux}
  - {repository: docker.io/library/debian, versions: ">=13 <14", owner: linux, state: preferred}
  - {repository: docker.io/library/debian, versions: 11.x, state: deprecated}
  - {repository: mirror.example/base/alpine, tags: ["3.2?"]}
  - {repository: docker.io/library/golang, tags: ["1.26"], kinds: [build-only]}
bans:
  - {id: BAN-1, repository: docker.io/library/debian, tags: ["12.1"], reason: bad build, advisory: CVE-1, denyFrom: 2026-01-01, replacement: {version: "12.0.1"}, author: joe, approver: jane}
`)
	for _, tt := range []struct{ name, dockerfile, want string }{
		{
			"other tag", "FROM debian:10",
			"allowed: docker.io/library/debian versions >=13 <14 (catalog.yaml:6:5); docker.io/library/debian versions >=12 <13 (catalog.yaml:5:5); for an exception ask linux (linux@example.com)",
		},
		{
			"misspelt", "FROM debain:12",
			"nearest in the catalog: docker.io/library/debian versions >=13 <14 (catalog.yaml:6:5); docker.io/library/debian versions >=12 <13 (catalog.yaml:5:5); for an exception ask platform (#platform on chat)",
		},
		{
			"another registry", "FROM alpine:3.20",
			"nearest in the catalog: mirror.example/base/alpine tags 3.2? (catalog.yaml:8:5); for an exception ask platform (#platform on chat)",
		},
		{
			"far from everything", "FROM nginx:1",
			"in the catalog are: docker.io/library/debian versions >=13 <14 (catalog.yaml:6:5); mirror.example/base/alpine tags 3.2? (catalog.yaml:8:5); for an exception ask platform (#platform on chat)",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan, err := catalogtest.Plan(t.Context(), cat, catalogtest.Case{Dockerfile: tt.dockerfile})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, plan.Findings[0].Help); diff != "" {
				t.Error(diff)
			}
		})
	}
}
