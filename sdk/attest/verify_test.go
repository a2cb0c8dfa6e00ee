package attest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

func TestVerify(t *testing.T) {
	s := newShop(t)
	s.attach(t, s.good(t)...)
	for _, ref := range []string{s.ref, s.server.Ref("team/app:1")} {
		s.server.Reset()
		got, err := attest.Verify(t.Context(), s.store, ref, s.policy)
		if err != nil {
			t.Fatal(err)
		}
		if got.Reference != s.ref || len(got.Manifests) != 2 || len(got.Statements) != 9 || got.Provenance == nil {
			t.Errorf("got %+v", got)
		}
		// One request for the manifest, one for the list, and one for each statement, those side by side.
		var paths []string
		for _, r := range s.server.Requests() {
			paths = append(paths, r.Path)
		}
		if len(paths) != 5 || !strings.Contains(paths[0], "/manifests/") || !strings.Contains(paths[1], "/referrers/") {
			t.Errorf("requests: %s", strings.Join(paths, "\n"))
		}
	}
}

// A platform can be verified alone, by the digest that a machine pulls.
func TestVerifyOnePlatform(t *testing.T) {
	s := newShop(t)
	s.attach(t, s.good(t)...)
	ref := s.image.Repository + "@" + s.image.Manifests[1].Digest.String()
	got, err := attest.Verify(t.Context(), s.store, ref, s.policy)
	if err != nil || got.Digest != s.image.Manifests[1].Digest || len(got.Statements) != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Statements about each platform alone, as other tools make them, are found too.
func TestVerifyStatementsOfEachPlatform(t *testing.T) {
	s := newShop(t)
	for _, subject := range subjects(s.image) {
		s.attach(t,
			statement(t, s.key, provenance.Type, origin(nil), subject),
			statement(t, s.key, attest.LintResultType, lintResult(attest.Passed), subject),
			statement(t, s.key, attest.TestResultType, testResult("PASSED", now), subject))
	}
	if _, err := attest.Verify(t.Context(), s.store, s.ref, s.policy); err != nil {
		t.Error(err)
	}
}

// attacks are what does not hold, each with what the denial says.
func TestAttacks(t *testing.T) {
	for _, test := range []struct {
		name   string
		attack func(t *testing.T, s *shop) []*attest.Bundle // what is there instead of the good evidence
		policy func(s *shop, p *attest.Policy)
		want   string // "" is let through
	}{
		{name: "nothing", attack: func(*testing.T, *shop) []*attest.Bundle { return nil }, want: "provenance: there is none by anyone trusted"},
		{name: "all good", attack: func(t *testing.T, s *shop) []*attest.Bundle { return s.good(t) }},
		{name: "wrong key", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			s.key = newKey(t, attest.ECDSA)
			return s.good(t)
		}, want: "ignored a statement: not signed by anyone trusted"},
		{name: "expired key", attack: func(t *testing.T, s *shop) []*attest.Bundle { return s.good(t) }, policy: func(s *shop, p *attest.Policy) {
			p.Trust = attest.Keys{{Name: "old", Key: s.key.Public(), Until: now}}
		}, want: "the key old was trusted until 2026-11-25T12:00:00Z"},
		{name: "one verdict by a stranger", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t)[:2], statement(t, newKey(t, attest.Ed25519), attest.TestResultType, testResult("PASSED", now), subjects(s.image)...))
		}, want: "test verdict: there is none by anyone trusted"},
		{name: "other repository", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t)[1:], statement(t, s.key, provenance.Type, origin(func(p *provenance.Provenance) {
				p.BuildDefinition.External.Repository = "https://git.example/strangers/app"
			}), subjects(s.image)...))
		}, want: `provenance: it was built from "https://git.example/strangers/app", which is none of the repositories that count`},
		{name: "other builder", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t)[1:], statement(t, s.key, provenance.Type, origin(func(p *provenance.Provenance) {
				p.RunDetails.Builder.ID = builderID + "/laptop"
			}), subjects(s.image)...))
		}, want: `provenance: it was built by "https://build.example/plimsoll/laptop", which is none of the builders that count`},
		{name: "missing platform", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t)[:2], statement(t, s.key, attest.TestResultType, testResult("PASSED", now), subjects(s.image)[:2]...))
		}, want: "linux/arm64 (sha256:"},
		{name: "index not covered", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t)[1:], statement(t, s.key, provenance.Type, origin(nil), subjects(s.image)[1:]...))
		}, want: "provenance: there is none by anyone trusted"},
		{name: "failed", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t)[:2], statement(t, s.key, attest.TestResultType, testResult("FAILED", now), subjects(s.image)...))
		}, want: `test verdict: its result is "FAILED", not PASSED`},
		{name: "partly tested", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t)[:2], statement(t, s.key, attest.TestResultType, testResult("WARNED", now), subjects(s.image)...))
		}, want: `test verdict: its result is "WARNED", not PASSED`},
		{name: "replayed old verdict", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t), statement(t, s.key, attest.TestResultType, testResult("FAILED", now.Add(time.Hour)), subjects(s.image)...))
		}, want: `test verdict: its result is "FAILED", not PASSED`},
		{name: "mended since", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t), statement(t, s.key, attest.TestResultType, testResult("FAILED", now.Add(-time.Hour)), subjects(s.image)...))
		}},
		{name: "two of the same time", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t), statement(t, s.key, attest.TestResultType, testResult("FAILED", now), subjects(s.image)...))
		}, want: `test verdict: its result is "FAILED", not PASSED`},
		{name: "too old", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t)[:2], statement(t, s.key, attest.TestResultType, testResult("PASSED", now.AddDate(0, -2, 0)), subjects(s.image)...))
		}, policy: func(_ *shop, p *attest.Policy) { p.MaxAge = 30 * 24 * time.Hour }, want: "test verdict: it is of 2026-09-25T12:00:00Z, and may be at most 720h0m0s old"},
		{name: "without a time where age counts", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t)[:2], statement(t, s.key, attest.TestResultType, map[string]string{"result": "PASSED"}, subjects(s.image)...))
		}, policy: func(_ *shop, p *attest.Policy) { p.MaxAge = 30 * 24 * time.Hour }, want: "test verdict: it is of 0001-01-01"},
		{name: "a verdict of another type", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t)[:2], statement(t, s.key, attest.LintResultType, testResult("PASSED", now), subjects(s.image)...))
		}, want: "test verdict: there is none by anyone trusted"},
		{name: "nonsense by somebody trusted", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t), statement(t, s.key, attest.TestResultType, []int{1}, subjects(s.image)...))
		}, want: "test verdict: that of build service can't be understood"},
		{name: "provenance that is none", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t)[1:], statement(t, s.key, provenance.Type, struct{}{}, subjects(s.image)...))
		}, want: "provenance: that of build service can't be understood"},
		{name: "no vulnerability scan", attack: func(t *testing.T, s *shop) []*attest.Bundle { return s.good(t) }, policy: func(_ *shop, p *attest.Policy) {
			p.Also = []attest.Requirement{attest.NoVulnerabilities(nil)}
		}, want: "vulnerability scan: there is none by anyone trusted"},
		{name: "a vulnerability", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t), statement(t, s.key, attest.VulnerabilitiesType, scan("CVE-2026-1"), subjects(s.image)...))
		}, policy: func(_ *shop, p *attest.Policy) {
			p.Also = []attest.Requirement{attest.NoVulnerabilities(nil)}
		}, want: "vulnerability scan: it has CVE-2026-1"},
		{name: "an accepted vulnerability", attack: func(t *testing.T, s *shop) []*attest.Bundle {
			return append(s.good(t), statement(t, s.key, attest.VulnerabilitiesType, scan("CVE-2026-1"), subjects(s.image)...))
		}, policy: func(_ *shop, p *attest.Policy) {
			p.Also = []attest.Requirement{attest.NoVulnerabilities(func(id string) bool { return id == "CVE-2026-1" })}
		}},
		{name: "untested on purpose", attack: func(t *testing.T, s *shop) []*attest.Bundle { return s.good(t)[:2] }, policy: func(_ *shop, p *attest.Policy) {
			p.UnsafeUntested = true
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newShop(t)
			s.attach(t, test.attack(t, s)...)
			policy := s.policy
			if test.policy != nil {
				test.policy(s, &policy)
			}
			got, err := attest.Verify(t.Context(), s.store, s.ref, policy)
			if test.want == "" {
				if err != nil || got == nil {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if !errors.Is(err, attest.ErrDenied) || got != nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), s.ref+": denied: ") {
				t.Errorf("got %v, %v; want %q", got, err, test.want)
			}
		})
	}
}

func scan(ids ...string) any {
	var found []map[string]string
	for _, id := range ids {
		found = append(found, map[string]string{"id": id})
	}
	return map[string]any{"scanner": map[string]any{"uri": "https://scanner.example", "result": found}, "metadata": map[string]any{"scanFinishedOn": now}}
}

// The evidence of one image does nothing for another, wherever it is put.
func TestEvidenceOfAnotherImage(t *testing.T) {
	s := newShop(t)
	s.attach(t, s.good(t)...)
	for _, repo := range []string{s.server.Ref("team/app"), s.server.Ref("team/other")} {
		ref, image := s.push(t, repo, "evil", "linux/amd64")
		if _, err := attest.Verify(t.Context(), s.store, ref, s.policy); !errors.Is(err, attest.ErrDenied) {
			t.Errorf("%s: got %v", repo, err)
		}
		if err := s.store.Attach(t.Context(), image, s.good(t)...); err == nil || !strings.Contains(err.Error(), "and not about this image") {
			t.Errorf("attached to another image: %v", err)
		}
	}
	// An index with one more platform is another index, and its new platform was never looked at.
	ref, _ := s.push(t, s.server.Ref("team/app"), "app", "linux/amd64", "linux/arm64", "linux/s390x")
	_, err := attest.Verify(t.Context(), s.store, ref, s.policy)
	if !errors.Is(err, attest.ErrDenied) || !strings.Contains(err.Error(), "linux/s390x (sha256:") {
		t.Errorf("got %v", err)
	}
}

func TestAPolicyCannotBeHalfMade(t *testing.T) {
	s := newShop(t)
	s.attach(t, s.good(t)...)
	for name, change := range map[string]func(*attest.Policy){
		"no trust":             func(p *attest.Policy) { p.Trust = nil },
		"no time":              func(p *attest.Policy) { p.At = time.Time{} },
		"no builders":          func(p *attest.Policy) { p.Builders = nil },
		"no sources":           func(p *attest.Policy) { p.Sources = nil },
		"builders and any":     func(p *attest.Policy) { p.UnsafeAnyBuilder = true },
		"sources and any":      func(p *attest.Policy) { p.UnsafeAnySource = true },
		"sources and none":     func(p *attest.Policy) { p.UnsafeNoProvenance = true },
		"a wild source":        func(p *attest.Policy) { p.Sources = []string{"https://*/app"} },
		"an empty requirement": func(p *attest.Policy) { p.Also = []attest.Requirement{{}} },
		"nothing at all":       func(p *attest.Policy) { *p = attest.Policy{} },
		"nothing but Unsafe": func(p *attest.Policy) {
			*p = attest.Policy{Trust: p.Trust, At: now, UnsafeNoProvenance: true, UnsafeUnlinted: true, UnsafeUntested: true}
		},
		"nobody in particular":  func(p *attest.Policy) { p.Trust = nil; p.UnsafeAnyBuilder = true },
		"a source that is path": func(p *attest.Policy) { p.Sources = []string{"team/app"} },
	} {
		policy := s.policy
		change(&policy)
		got, err := attest.Verify(t.Context(), s.store, s.ref, policy)
		if got != nil || err == nil || errors.Is(err, attest.ErrDenied) || !strings.HasPrefix(err.Error(), "policy: ") {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

// Whatever a registry does, the answer is no or an error, never a yes.
func TestBadRegistryDenies(t *testing.T) {
	s := newShop(t)
	s.attach(t, s.good(t)...)
	for _, path := range []string{"/manifests/", "/referrers/"} {
		for name, fault := range map[string]registrytest.Fault{
			"busy":      registrytest.Status(http.StatusServiceUnavailable, nil),
			"forbidden": registrytest.Status(http.StatusForbidden, nil),
			"gone":      registrytest.Status(http.StatusNotFound, nil),
			"nonsense":  registrytest.Answer([]byte("nonsense")),
			"empty":     registrytest.Answer([]byte(`{}`)),
			"huge":      registrytest.Answer([]byte(strings.Repeat(" ", 5<<20))),
			"cut":       registrytest.CutResponse(100),
		} {
			s.server.Reset()
			s.server.Inject(registrytest.Rule{Path: path, Fault: fault})
			if got, err := attest.Verify(t.Context(), s.store, s.ref, s.policy); err == nil || got != nil {
				t.Errorf("%s of %s: got %v, %v", name, path, got, err)
			}
		}
	}
	s.server.Reset()
	if _, err := attest.Verify(t.Context(), s.store, s.ref, s.policy); err != nil {
		t.Error(err)
	}
}

func TestCached(t *testing.T) {
	s := newShop(t)
	s.attach(t, s.good(t)...)
	clock := now
	source := attest.Cached(s.store, time.Minute, func() time.Time { return clock })
	requests := func(policy attest.Policy) (int, error) {
		s.server.Reset()
		_, err := attest.Verify(t.Context(), source, s.ref, policy)
		return len(s.server.Requests()), err
	}
	if n, err := requests(s.policy); n != 5 || err != nil {
		t.Errorf("cold: %d requests, %v", n, err)
	}
	if n, err := requests(s.policy); n != 0 || err != nil {
		t.Errorf("warm: %d requests, %v", n, err)
	}
	ended := s.policy
	ended.Trust = attest.Keys{{Key: s.key.Public(), Until: now}}
	if n, err := requests(ended); n != 0 || !errors.Is(err, attest.ErrDenied) {
		t.Errorf("a key that ended, warm: %d requests, %v", n, err)
	}
	s.attach(t, statement(t, s.key, attest.TestResultType, testResult("FAILED", now.Add(time.Second)), subjects(s.image)...))
	clock = clock.Add(time.Minute)
	if _, err := requests(s.policy); !errors.Is(err, attest.ErrDenied) {
		t.Errorf("a verdict that came since is not noticed: %v", err)
	}
	if _, err := attest.Verify(t.Context(), source, s.server.Ref("team/app:1"), s.policy); !errors.Is(err, attest.ErrDenied) {
		t.Errorf("by its tag: %v", err)
	}
}

func TestVerifiedAsJSON(t *testing.T) {
	s := newShop(t)
	s.attach(t, s.good(t)...)
	got, err := attest.Verify(t.Context(), s.store, s.ref, s.policy)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		Reference  string
		Statements []struct{ PredicateType string }
	}
	if err := json.Unmarshal(raw, &back); err != nil || back.Reference != s.ref || len(back.Statements) != 9 {
		t.Errorf("got %s, %v", raw, err)
	}
	if !slices.ContainsFunc(back.Statements, func(s struct{ PredicateType string }) bool { return s.PredicateType == provenance.Type }) {
		t.Errorf("got %s", raw)
	}
}
