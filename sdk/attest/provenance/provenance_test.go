package provenance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

func full(t testing.TB) *provenance.Provenance {
	t.Helper()
	started := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	p := &provenance.Provenance{
		BuildDefinition: provenance.BuildDefinition{
			BuildType: provenance.BuildType,
			External: provenance.External{
				Repository: "https://git.example/team/app", Ref: "v1.2.3", Commit: commit, Directory: ".", Dockerfile: "Dockerfile",
				Platforms: []string{"linux/amd64"}, Args: map[string]string{"VERSION": "1"},
			},
			Internal: provenance.Internal{
				Catalog: provenance.Catalog{Digest: "sha256:aa", Version: "2026-11"},
				Home:    provenance.Home{Name: "embedded", Enforces: true},
				Bases: []provenance.Base{{
					Stage: "0", Platform: "linux/amd64", Runtime: true, Moved: true, Reason: "CVE-2026-1",
					Requested: provenance.Image{Ref: "registry.example/base/demo:1.4.8", Digest: "sha256:bb"},
					Effective: provenance.Image{Ref: "registry.example/base/demo:1.4.9", Digest: "sha256:cc"},
				}},
			},
			Inputs: []provenance.Resource{
				{URI: provenance.GitURI("https://git.example/team/app", "v1.2.3"), Digest: map[string]string{"gitCommit": commit}},
				{URI: provenance.ImageURI("registry.example/base/demo:1.4.9", "linux/amd64"), Digest: map[string]string{"sha256": strings.Repeat("cc", 32)}, Annotations: map[string]any{"role": "base"}},
			},
		},
		RunDetails: provenance.RunDetails{
			Builder:  provenance.Builder{ID: "https://build.example/plimsoll", Version: map[string]string{"plimsoll": "v1"}},
			Metadata: provenance.Metadata{InvocationID: "build-7", Started: started, Finished: started.Add(time.Minute)},
		},
	}
	if err := p.SetStages([]provenance.Stage{{Stage: "checkout", Started: started, Duration: time.Second}}); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestItComesBack(t *testing.T) {
	want := full(t)
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := provenance.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	stages, err := got.Stages()
	if err != nil || len(stages) != 1 || stages[0].Stage != "checkout" {
		t.Errorf("got %v, %v", stages, err)
	}
	if repository, at := got.Source(); repository != "https://git.example/team/app" || at != commit {
		t.Errorf("got %s %s", repository, at)
	}
}

// The format is that of the specification's own types, which know every field of it and no other.
func TestTheSpecificationsTypesReadIt(t *testing.T) {
	raw, err := json.Marshal(full(t))
	if err != nil {
		t.Fatal(err)
	}
	var p slsa.Provenance
	if err := protojson.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
}

func TestProvenanceOfOthers(t *testing.T) {
	buildkit := fmt.Sprintf(`{"buildDefinition": {"buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
		"externalParameters": {"configSource": {"uri": "https://git.example/team/app.git#main"}, "platforms": 7},
		"internalParameters": [1],
		"resolvedDependencies": [
			{"uri": "pkg:docker/debian@12?platform=linux%%2Famd64", "digest": {"sha256": "dd"}},
			{"uri": "https://git.example/team/app.git#main", "digest": {"sha1": %q}}]},
		"runDetails": {"builder": {"id": "buildkit"}}}`, commit)
	p, err := provenance.Parse([]byte(buildkit))
	if err != nil {
		t.Fatal(err)
	}
	if repository, at := p.Source(); repository != "https://git.example/team/app.git" || at != commit || p.Bases() != nil {
		t.Errorf("got %s %s %v", repository, at, p.Bases())
	}
}

func TestParseRefuses(t *testing.T) {
	for _, raw := range []string{"", "{}", "[]", `{"buildDefinition":{"buildType":"x"}}`, `{"buildDefinition":{"buildType":"` + provenance.BuildType + `","externalParameters":[]},"runDetails":{"builder":{"id":"x"}}}`} {
		if p, err := provenance.Parse([]byte(raw)); !errors.Is(err, provenance.ErrMalformed) || p != nil {
			t.Errorf("%q: got %v, %v", raw, p, err)
		}
	}
}

func TestURIs(t *testing.T) {
	for ref, want := range map[string]string{
		"docker.io/library/debian:12":             "pkg:docker/debian@12?platform=linux%2Famd64",
		"docker.io/team/app:1@sha256:00":          "pkg:docker/team/app@1?platform=linux%2Famd64",
		"registry.example:5000/base/demo:1.4.9":   "pkg:docker/registry.example:5000/base/demo@1.4.9?platform=linux%2Famd64",
		"registry.example:5000/base/demo@sha256:": "pkg:docker/registry.example:5000/base/demo?platform=linux%2Famd64",
	} {
		if got := provenance.ImageURI(ref, "linux/amd64"); got != want {
			t.Errorf("%s: got %s, want %s", ref, got, want)
		}
	}
	for repository, want := range map[string]string{
		"https://git.example/team/app": "git+https://git.example/team/app@refs/heads/main",
		"git@git.example:team/app":     "git@git.example:team/app@refs/heads/main",
	} {
		if got := provenance.GitURI(repository, "refs/heads/main"); got != want {
			t.Errorf("%s: got %s, want %s", repository, got, want)
		}
	}
}

func Example() {
	p, err := provenance.Parse([]byte(`{
		"buildDefinition": {
			"buildType": "https://plimsoll.dev/build/delivery/v1",
			"externalParameters": {"repository": "https://git.example/team/app", "commit": "0123456789abcdef0123456789abcdef01234567"},
			"internalParameters": {"bases": [{"stage": "0", "platform": "linux/amd64", "runtime": true, "moved": true,
				"requested": {"ref": "registry.example/base/demo:1.4.8", "digest": "sha256:bb"},
				"effective": {"ref": "registry.example/base/demo:1.4.9", "digest": "sha256:cc"}}]}
		},
		"runDetails": {"builder": {"id": "https://build.example/plimsoll"}}
	}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Source())
	for _, base := range p.Bases() {
		fmt.Println(base.Platform, base.Requested.Ref, "->", base.Effective.Ref)
	}
	// Output:
	// https://git.example/team/app 0123456789abcdef0123456789abcdef01234567
	// linux/amd64 registry.example/base/demo:1.4.8 -> registry.example/base/demo:1.4.9
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"buildDefinition":{"buildType":"x","externalParameters":{}},"runDetails":{"builder":{"id":"y"}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := provenance.Parse(raw)
		if err != nil {
			return
		}
		p.Source()
		_, _ = p.Stages()
		if _, err := json.Marshal(p); err != nil {
			t.Error(err)
		}
	})
}
