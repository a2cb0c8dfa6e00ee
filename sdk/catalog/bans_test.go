package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
)

const banned = `version: 1
owner: platform
bases:
  - {repository: docker.io/library/debian, tags: ["*"]}
  - {repository: quay.example/mirror, tags: ["*"]}
bans:
  - id: BAN-version
    repository: docker.io/library/debian
    versions: "<12.9"
    reason: CVE-1
    advisory: CVE-2026-1
    severity: high
    warnFrom: 2026-05-01
    denyFrom: 2026-06-01
    author: joe
    approver: jane
  - id: BAN-digest
    digests: ["sha256:0000000000000000000000000000000000000000000000000000000000000bad"]
    reason: stolen key
    denyFrom: 2026-06-01
    author: joe
    approver: jane
  - id: BAN-replaced
    repository: docker.io/library/debian
    tags: [sid]
    reason: too new
    denyFrom: 2026-06-01
    replacement: {tag: "12.9"}
    author: joe
    approver: jane
  - id: BAN-lifted
    repository: docker.io/library/debian
    tags: ["14"]
    reason: a mistake
    denyFrom: 2026-06-01
    author: joe
    approver: jane
    lifted: {at: 2026-06-15, by: jane, reason: it was one}
  - id: BAN-package
    repository: quay.example/mirror
    package: {type: deb, name: libssl3, below: 3.0.14}
    reason: CVE-3
    denyFrom: 2026-06-01
    author: joe
    approver: jane
`

func TestBans(t *testing.T) {
	cat := load(t, banned)
	registry := catalogtest.Tags("docker.io/library/debian:12.8", "docker.io/library/debian:12.8-slim", "docker.io/library/debian:12.9",
		"docker.io/library/debian:12.9-rc1", "docker.io/library/debian:v12.8", "docker.io/library/debian:sid", "docker.io/library/debian:14",
		"quay.example/mirror:2")
	registry.Images["docker.io/library/debian:12"] = catalogtest.Image{Digest: catalogtest.Digest("docker.io/library/debian:12.9")}
	registry.Images["docker.io/library/debian:latest"] = catalogtest.Image{Digest: catalogtest.Digest("docker.io/library/debian:12.8")}
	registry.Images["docker.io/library/debian:13"] = catalogtest.Image{Manifests: map[string]string{
		"linux/amd64": "sha256:0000000000000000000000000000000000000000000000000000000000000bad",
	}}
	registry.Images["quay.example/mirror:1"] = catalogtest.Image{Digest: "sha256:0000000000000000000000000000000000000000000000000000000000000bad"}
	registry.Images["quay.example/mirror:3"] = catalogtest.Image{Packages: []string{"libssl3"}}
	cases := []catalogtest.Case{
		{Name: "by version", Dockerfile: "FROM debian:12.8", Want: []string{"deny debian:12.8 (DF1003)"}},
		{Name: "every family", Dockerfile: "FROM debian:12.8-slim", Want: []string{"deny debian:12.8-slim (DF1003)"}},
		{Name: "every prefix", Dockerfile: "FROM debian:v12.8", Want: []string{"deny debian:v12.8 (DF1003)"}},
		{Name: "pre-releases", Dockerfile: "FROM debian:12.9-rc1", Want: []string{"deny debian:12.9-rc1 (DF1003)"}},
		{Name: "first good version", Dockerfile: "FROM debian:12.9", Want: []string{"allow debian:12.9"}, Findings: []string{}},
		{Name: "floating tag at a good version", Dockerfile: "FROM debian:12", Want: []string{"allow debian:12"}},
		{Name: "another tag of a banned version", Dockerfile: "FROM debian", Want: []string{"deny debian (DF1003)"}},
		{Name: "warning", At: day("2026-05-31"), Dockerfile: "FROM debian:12.8", Want: []string{"allow debian:12.8"}, Findings: []string{"DF1015"}},
		{Name: "not yet", At: day("2026-04-30"), Dockerfile: "FROM debian:12.8", Want: []string{"allow debian:12.8"}, Findings: []string{}},
		{Name: "copy in another registry", Dockerfile: "FROM quay.example/mirror:1", Want: []string{"deny quay.example/mirror:1 (DF1003)"}},
		{Name: "one platform of an index", Dockerfile: "FROM debian:13", Want: []string{"deny debian:13 (DF1003)"}},
		{Name: "replaced", Dockerfile: "FROM debian:sid", Want: []string{"move debian:sid to docker.io/library/debian:12.9"}},
		{Name: "lifted", Dockerfile: "FROM debian:14", Want: []string{"allow debian:14"}},
		{Name: "before it was lifted", At: day("2026-06-14"), Dockerfile: "FROM debian:14", Want: []string{"deny debian:14 (DF1003)"}},
		{Name: "package", Dockerfile: "FROM quay.example/mirror:3", Want: []string{"deny quay.example/mirror:3 (DF1003)"}},
		{Name: "without the package", Dockerfile: "FROM quay.example/mirror:2", Want: []string{"allow quay.example/mirror:2"}},
	}
	for i := range cases {
		cases[i].Registry = registry
	}
	catalogtest.Run(t, cat, cases...)
}

func TestBanOfTooManyTags(t *testing.T) {
	registry := catalogtest.Tags("docker.io/library/debian:latest")
	for i := range 1001 {
		registry.Images[fmt.Sprintf("docker.io/library/debian:1.%d", i)] = catalogtest.Image{}
	}
	_, err := catalogtest.Plan(t.Context(), load(t, banned), catalogtest.Case{Dockerfile: "FROM debian", Registry: registry})
	const want = "Dockerfile:1:6: ban BAN-version: it names 1001 tags of docker.io/library/debian, too many to compare with; list digests in it instead"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestBansOn(t *testing.T) {
	cat := load(t, banned)
	ids := func(ref string, digests ...string) string {
		t.Helper()
		bans, err := cat.BansOn(ref, digests, day("2026-07-01"))
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, b := range bans {
			out = append(out, b.ID+" "+string(b.Effect(day("2026-07-01"))))
		}
		return strings.Join(out, ", ")
	}
	bad := "sha256:0000000000000000000000000000000000000000000000000000000000000bad"
	for _, tt := range []struct{ name, got, want string }{
		{"tag", ids("docker.io/library/debian:12.1"), "BAN-version deny"},
		{"good tag", ids("docker.io/library/debian:12.9"), ""},
		{"digest", ids("elsewhere.example/x@" + bad), "BAN-digest deny"},
		{"other digests", ids("elsewhere.example/x:1", catalogtest.Digest("index"), bad), "BAN-digest deny"},
		{"lifted", ids("docker.io/library/debian:14"), ""},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	if _, err := cat.BansOn("debian", nil, day("2026-07-01")); err == nil {
		t.Error("a short reference was judged")
	}
	var effects []catalog.Effect
	for _, at := range []string{"2026-04-30", "2026-05-01", "2026-06-01"} {
		ban := cat.Document().Bans[0]
		effects = append(effects, ban.Effect(day(at)))
	}
	if diff := cmp.Diff([]catalog.Effect{catalog.EffectNone, catalog.EffectWarn, catalog.EffectDeny}, effects); diff != "" {
		t.Error(diff)
	}
}
