package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

func TestBanMatcher(t *testing.T) {
	const bad = "sha256:0000000000000000000000000000000000000000000000000000000000000bad"
	named := map[string][]string{}
	for _, ref := range []string{
		"docker.io/library/debian:12.8", "docker.io/library/debian:12.8-slim", "docker.io/library/debian:12.9",
		"docker.io/library/debian:12", "docker.io/library/debian:sid", "quay.example/mirror:sid", "quay.example/mirror@" + bad,
		"docker.io/library/debian.evil/x:12.8",
	} {
		for _, b := range load(t, banned).Bans() {
			yes, err := b.Names(ref)
			if err != nil {
				t.Fatal(err)
			}
			if yes {
				named[b.ID] = append(named[b.ID], ref)
			}
		}
	}
	want := map[string][]string{
		"BAN-version":  {"docker.io/library/debian:12.8", "docker.io/library/debian:12.8-slim"},
		"BAN-digest":   {"quay.example/mirror@" + bad},
		"BAN-replaced": {"docker.io/library/debian:sid"},
	}
	if diff := cmp.Diff(want, named); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	bans := map[string]catalog.BanMatcher{}
	var described []string
	for _, b := range load(t, banned+`  - {id: BAN-all, repository: quay.example/gone, reason: r, denyFrom: 2026-06-01, author: a, approver: p}`).Bans() {
		bans[b.ID] = b
		described = append(described, b.Describe())
	}
	version, all, byPackage := bans["BAN-version"], bans["BAN-all"], bans["BAN-package"]
	for _, tt := range []struct {
		name      string
		got, want bool
	}{
		{"a tag", version.NamesTag("12.8"), true},
		{"a tag that floats over good versions", version.NamesTag("12"), false},
		{"a whole repository is no list of tags", all.NamesTag("1"), false},
		{"a whole repository", all.Whole(), true},
		{"a range of tags is not a whole repository", version.Whole(), false},
		{"a package in a repository is not a whole repository", byPackage.Whole(), false},
		{"a package does not name tags", byPackage.NamesTag("1"), false},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v", tt.name, tt.got)
		}
	}
	if _, err := version.Names("debian"); err == nil {
		t.Error("a short reference was judged")
	}
	if diff := cmp.Diff([]string{
		"docker.io/library/debian versions <12.9 prefix * suffix *", "digests " + bad, "docker.io/library/debian tags sid",
		"docker.io/library/debian tags 14", "deb libssl3 below 3.0.14 in quay.example/mirror", "quay.example/gone",
	}, described); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
