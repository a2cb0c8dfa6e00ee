package catalog_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
)

func explain(t *testing.T, cat *catalog.Catalog, c catalogtest.Case) catalog.Explanation {
	t.Helper()
	plan, err := catalogtest.Plan(t.Context(), cat, c)
	if err != nil {
		t.Fatal(err)
	}
	return cat.Explain(c.Project, plan.Decisions[0])
}

func TestExplain(t *testing.T) {
	cat := loadFull(t)
	cart := catalog.Project{Repository: "https://git.example/shop/cart", Directory: "services/cart"}
	registry := catalogtest.Tags("docker.io/library/debian:12.8", "docker.io/library/debian:12.9", "docker.io/library/evil:1")
	for _, tt := range []struct {
		name string
		c    catalogtest.Case
		want string
	}{
		{"moved", catalogtest.Case{Dockerfile: "FROM debian:12.8", Registry: registry}, `Dockerfile:1:6: base image docker.io/library/debian:12.8 for linux/amd64: moved to docker.io/library/debian:12.9@<12.9>
  1. base image debian:12.8 asks for docker.io/library/debian:12.8 [Dockerfile:1:6]
  2. that is <12.8>
  3. docker.io/library/debian:12.8 is moved to docker.io/library/debian:12.9: openssl [full.yaml:69:5]
  4. entry docker.io/library/debian versions >=12.4 <14 (preferred, owner linux-team) matches [full.yaml:11:5]
  ask linux-team (linux@example.com)
`},
		{"denied", catalogtest.Case{Dockerfile: "FROM evil:1", Registry: registry, Project: cart}, `Dockerfile:1:6: base image docker.io/library/evil:1 for linux/amd64: denied (DF1001: image is not in the catalog)
  1. base image evil:1 asks for docker.io/library/evil:1 [Dockerfile:1:6]
  2. that is <evil>
  3. base image "docker.io/library/evil:1": repository docker.io/library/evil is not in the catalog
  ask platform-team (#platform on chat)
  an exception would help:

    exceptions:
      - id: # a new one
        project: {repository: "https://git.example/shop/cart", path: "services/cart"}
        scope: {image: {repository: docker.io/library/evil, tags: ["1"]}}
        reason: # why it is needed
        owner: # who needs it
        approver: # platform-team (#platform on chat)
        until: # a date
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := explain(t, cat, tt.c)
			got := strings.NewReplacer(catalogtest.Digest("docker.io/library/debian:12.9"), "<12.9>", catalogtest.Digest("docker.io/library/debian:12.8"), "<12.8>",
				catalogtest.Digest("docker.io/library/evil:1"), "<evil>").Replace(e.String())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			var back catalog.Explanation
			if data, err := json.Marshal(e); err != nil || json.Unmarshal(data, &back) != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(e, back); diff != "" {
				t.Errorf("JSON: %s", diff)
			}
		})
	}
}

// The draft of an exception is a catalog as soon as its blanks are filled, and then it helps.
func TestDraftedExceptionHelps(t *testing.T) {
	project := catalog.Project{Repository: "https://git.example/shop/cart"}
	const file = "version: 1\nowner: o\nbases:\n  - {repository: docker.io/library/debian, tags: [\"12\"]}\n" +
		"  - {repository: docker.io/library/centos, tags: [\"7\"]}\n" +
		"bans:\n  - {id: B, repository: docker.io/library/centos, reason: r, denyFrom: 2026-01-01, author: a, approver: b}\n"
	for _, dockerfile := range []string{
		"FROM evil:1", "FROM centos:7", "FROM registry.example:5000/x/y:1.2.3-rc", "FROM debian:12@" + catalogtest.Digest("other"),
	} {
		registry := catalogtest.Tags("docker.io/library/evil:1", "docker.io/library/centos:7", "registry.example:5000/x/y:1.2.3-rc", "docker.io/library/debian:12")
		c := catalogtest.Case{Dockerfile: dockerfile, Project: project, Registry: registry}
		draft := explain(t, load(t, file), c).Exception
		if _, err := catalog.Load("draft.yaml", []byte(file+draft)); err == nil {
			t.Errorf("%s: a draft with blanks is taken", dockerfile)
		}
		filled := strings.NewReplacer("# a new one", "EX", "# why it is needed", "r", "# who needs it", "o", "# a date", "2026-12-31", "# o", "o").Replace(draft)
		if got := explain(t, load(t, file+filled), c).Answer; got != "allowed" {
			t.Errorf("%s: %s with\n%s", dockerfile, got, filled)
		}
	}
}
