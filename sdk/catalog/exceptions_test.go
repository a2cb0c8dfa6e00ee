package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

const governed = `version: 1
owner: platform
bases:
  - {repository: docker.io/library/debian, versions: ">=12 <13"}
  - {repository: docker.io/library/golang, tags: ["1.26"], kinds: [build-only]}
substitutions:
  - {from: {repository: docker.io/library/debian, versions: ">=12 <12.9"}, to: {version: "12.9"}, reason: CVE-1}
exceptions:
  - id: EX-nginx
    project: {repository: https://git.example/shop/cart, path: services/cart}
    scope: {image: {repository: docker.io/library/nginx, tags: ["1.27"]}}
    reason: migration
    owner: cart-team
    approver: jane
    from: 2026-06-01
    until: 2026-07-31
  - id: EX-stay
    project: {repository: https://git.example/shop/cart}
    scope: {image: {repository: docker.io/library/debian, tags: ["12.3"]}}
    reason: a driver
    owner: cart-team
    approver: jane
    until: 2026-12-31
  - id: EX-ban
    project: {repository: https://git.example/shop/cart}
    scope: {ban: BAN-1}
    reason: release week
    owner: cart-team
    approver: jane
    until: 2026-12-31
  - id: EX-group
    project: {repository: "https://git.example/legacy/*"}
    scope: {image: {repository: docker.io/library/golang, tags: ["1.26"]}}
    reason: static binary
    owner: legacy-team
    approver: jane
    until: 2026-12-31
  - id: EX-rule
    project: {repository: https://git.example/shop/cart}
    scope: {rule: DF2003}
    reason: later
    owner: cart-team
    approver: jane
    until: 2026-12-31
bans:
  - id: BAN-1
    repository: docker.io/library/debian
    tags: ["12.10"]
    reason: CVE-2
    denyFrom: 2026-01-01
    author: joe
    approver: jane
  - id: BAN-2
    repository: docker.io/library/nginx
    digests: ["sha256:0000000000000000000000000000000000000000000000000000000000000bad"]
    reason: stolen key
    denyFrom: 2026-01-01
    author: joe
    approver: jane
`

func TestExceptions(t *testing.T) {
	cat := load(t, governed)
	cart := catalog.Project{Repository: "https://git.example/shop/cart", Directory: "services/cart"}
	at := func(repository, directory string) catalog.Project {
		return catalog.Project{Repository: repository, Directory: directory}
	}
	nginx := []string{"allow nginx:1.27"}
	denied := []string{"deny nginx:1.27 (DF1001)"}
	bad := &catalogtest.Registry{Images: map[string]catalogtest.Image{
		"docker.io/library/nginx:1.27": {Digest: "sha256:0000000000000000000000000000000000000000000000000000000000000bad"},
	}}
	moved := &catalogtest.Registry{Images: map[string]catalogtest.Image{
		"docker.io/library/nginx:1.27": {}, "docker.io/library/nginx:evil": {Digest: catalogtest.Digest("forged")},
	}}
	forged := "nginx:1.27@" + catalogtest.Digest("forged")
	catalogtest.Run(t, cat, []catalogtest.Case{
		{Name: "for the project", Project: cart, Dockerfile: "FROM nginx:1.27", Want: nginx, Findings: []string{"DF1030", "DF1033"}},
		{Name: "below the path", Project: at(cart.Repository, "services/cart/api"), Dockerfile: "FROM nginx:1.27", Want: nginx},
		{Name: "beside the path", Project: at(cart.Repository, "services/cart2"), Dockerfile: "FROM nginx:1.27", Want: denied},
		{Name: "out of the path", Project: at(cart.Repository, "services/cart/../evil"), Dockerfile: "FROM nginx:1.27", Want: denied},
		{Name: "scp form", Project: at("git@git.example:shop/cart.git", "services/cart"), Dockerfile: "FROM nginx:1.27", Want: nginx},
		{Name: "ssh form", Project: at("ssh://git@git.example:22/shop/cart", "./services/cart"), Dockerfile: "FROM nginx:1.27", Want: nginx},
		{Name: "host in upper case", Project: at("https://GIT.example/shop/cart/", "services/cart"), Dockerfile: "FROM nginx:1.27", Want: nginx},
		{Name: "scp form with a slash", Project: at("git@git.example:/shop/cart.git", "services/cart"), Dockerfile: "FROM nginx:1.27", Want: nginx},
		{Name: "other host", Project: at("https://git.example.evil/shop/cart", "services/cart"), Dockerfile: "FROM nginx:1.27", Want: denied},
		{Name: "user that looks like the host", Project: at("https://git.example@evil.example/shop/cart", "services/cart"), Dockerfile: "FROM nginx:1.27", Want: denied},
		{Name: "other repository", Project: at("https://git.example/shop/cart-evil", "services/cart"), Dockerfile: "FROM nginx:1.27", Want: denied},
		{Name: "no project", Dockerfile: "FROM nginx:1.27", Want: denied},
		{Name: "other tag", Project: cart, Dockerfile: "FROM nginx:1.28", Want: []string{"deny nginx:1.28 (DF1001)"}},
		{Name: "before it begins", Project: cart, At: day("2026-05-31"), Dockerfile: "FROM nginx:1.27", Want: denied},
		{Name: "about to end", Project: cart, At: day("2026-07-31"), Dockerfile: "FROM nginx:1.27", Want: nginx, Findings: []string{"DF1031", "DF1033"}},
		{Name: "ended", Project: cart, At: day("2026-08-01"), Dockerfile: "FROM nginx:1.27", Want: denied, Findings: []string{"DF1001", "DF1032", "DF1033"}},
		{Name: "ended for another project", Project: at("https://git.example/x/y", ""), At: day("2026-08-01"), Dockerfile: "FROM nginx:1.27", Want: denied, Findings: []string{"DF1001"}},
		{Name: "a forged pin", Project: cart, Registry: moved, Dockerfile: "FROM " + forged, Want: []string{"deny " + forged + " (DF1008)"}},
		{Name: "a ban still holds", Project: cart, Registry: bad, Dockerfile: "FROM nginx:1.27", Want: []string{"deny nginx:1.27 (DF1003)"}},
		{Name: "from a ban", Project: cart, Dockerfile: "FROM debian:12.10", Want: []string{"allow debian:12.10"}, Findings: []string{"DF1030", "DF1033"}},
		{Name: "not from the ban", Project: at("https://git.example/x/y", ""), Dockerfile: "FROM debian:12.10", Want: []string{"deny debian:12.10 (DF1003)"}},
		{Name: "from being moved", Project: cart, Dockerfile: "FROM debian:12.3", Want: []string{"allow debian:12.3"}},
		{Name: "group", Project: at("https://git.example/legacy/one", ""), Dockerfile: "FROM golang:1.26", Want: []string{"allow golang:1.26"}},
		{Name: "below the group", Project: at("https://git.example/legacy/one/two", ""), Dockerfile: "FROM golang:1.26", Want: []string{"deny golang:1.26 (DF1006)"}},
		{Name: "the group itself", Project: at("https://git.example/legacy", ""), Dockerfile: "FROM golang:1.26", Want: []string{"deny golang:1.26 (DF1006)"}},
		{
			Name: "not needed", Project: at("https://git.example/legacy/one", ""), Dockerfile: "FROM golang:1.26 AS b\nFROM debian:12.9\n",
			Want: []string{"allow golang:1.26", "allow debian:12.9"}, Findings: []string{"DF1033"},
		},
	}...)
}

func TestExceptionsAreCounted(t *testing.T) {
	plan, err := catalogtest.Plan(t.Context(), load(t, governed), catalogtest.Case{
		Project:    catalog.Project{Repository: "https://git.example/shop/cart", Directory: "services/cart"},
		Dockerfile: "FROM nginx:1.27 AS a\nFROM nginx:1.27\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, e := range plan.Exceptions {
		got[e.ID] = e.Uses
	}
	if diff := cmp.Diff(map[string]int{"EX-nginx": 2, "EX-stay": 0, "EX-ban": 0, "EX-rule": 0}, got); diff != "" {
		t.Error(diff)
	}
	if d := plan.Decisions[0]; d.Exception != "EX-nginx" || d.Owner != "cart-team" {
		t.Errorf("decision by %q of %q", d.Exception, d.Owner)
	}
}

func TestSuppress(t *testing.T) {
	cat := load(t, governed)
	findings := []finding.Finding{{Rule: "DF2003", Severity: finding.Error}, {Rule: "DF2004", Severity: finding.Error}}
	cart := catalog.Project{Repository: "https://git.example/shop/cart"}
	got, err := cat.Suppress(cart, day("2026-07-01"), findings)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Suppressed == nil || got[0].Suppressed.Reason != "EX-rule: later" || got[1].Suppressed != nil || len(got) != 2 {
		t.Errorf("got %v", got)
	}
	if findings[0].Suppressed != nil {
		t.Error("the caller's findings were changed")
	}
	got, err = cat.Suppress(cart, day("2026-07-01"), findings[1:])
	if err != nil || len(got) != 2 || got[1].Rule != catalog.RuleExceptionUnused {
		t.Errorf("unused: %v, %v", got, err)
	}
	got, err = cat.Suppress(catalog.Project{Repository: "https://git.example/x/y"}, day("2026-07-01"), findings)
	if err != nil || finding.Gate(got, finding.Error) == nil || got[0].Suppressed != nil {
		t.Errorf("another project: %v, %v", got, err)
	}
	got, err = cat.Suppress(cart, day("2027-01-01"), findings)
	if err != nil || got[0].Suppressed != nil {
		t.Errorf("after its end: %v, %v", got, err)
	}
}

func TestReview(t *testing.T) {
	cat := load(t, governed+`  - {id: BAN-3, repository: docker.io/library/x, reason: r, denyFrom: 2027-01-01, author: a, approver: b}
`)
	var got []string
	for _, f := range cat.Review(day("2026-12-20")) {
		got = append(got, f.String())
	}
	want := []string{
		"catalog.yaml:9:5: warning: exception EX-nginx for https://git.example/shop/cart ended with 2026-07-31 (DF1032)",
		"catalog.yaml:17:5: warning: exception EX-stay for https://git.example/shop/cart ends with 2026-12-31 (DF1031)",
		"catalog.yaml:24:5: warning: exception EX-ban for https://git.example/shop/cart ends with 2026-12-31 (DF1031)",
		"catalog.yaml:31:5: warning: exception EX-group for https://git.example/legacy/* ends with 2026-12-31 (DF1031)",
		"catalog.yaml:38:5: warning: exception EX-rule for https://git.example/shop/cart ends with 2026-12-31 (DF1031)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	cat = load(t, "version: 1\nsubstitutions: [{from: {repository: docker.io/library/a, tags: [x]}, to: {repository: docker.io/library/b}, reason: r}]\n")
	if got := cat.Review(day("2026-12-20")); len(got) != 1 || got[0].Rule != catalog.RuleNoSuchTarget {
		t.Errorf("got %v", got)
	}
}
