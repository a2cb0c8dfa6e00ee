package runner_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/harbour"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// What was said about the old image does not hold of the new one: it is said anew, and only once.
func TestEvidenceOfARebase(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	key, err := attest.GenerateKey(attest.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	const builder = "https://build.example/plimsoll"
	trust := attest.Keys{{Name: "ops", Key: key.Public()}}
	var store *attest.Store
	s := newSea(t, func(o *runner.Options) {
		store = attest.NewStore(o.Registry, attest.StoreOptions{})
		o.Evidence = &runner.Evidence{Signer: key, Store: store, Trust: trust, Builder: builder, Now: time.Now}
	}, harbour.Ship{Name: "team/app"})
	old, err := store.Image(ctx, s.Host+"/team/app:1.0")
	if err != nil {
		t.Fatal(err)
	}
	var subjects []attest.Subject
	for _, d := range old.Digests() {
		subjects = append(subjects, attest.NewSubject(old.Repository, d))
	}
	from := provenance.Image{Ref: s.Host + "/base:12.8", Digest: strings.TrimPrefix(s.From, s.Host+"/base@")}
	for predicateType, predicate := range map[string]any{
		attest.LintResultType: attest.LintResult{Result: attest.Passed, Tool: "plimsoll", Finished: time.Now()},
		provenance.Type: &provenance.Provenance{
			BuildDefinition: provenance.BuildDefinition{
				BuildType: provenance.BuildType, External: provenance.External{Repository: "https://git.example/team/app", Commit: "1"},
				Internal: provenance.Internal{Bases: []provenance.Base{{Stage: "0", Runtime: true, Requested: from, Effective: from}}},
			},
			RunDetails: provenance.RunDetails{Builder: provenance.Builder{ID: builder}},
		},
	} {
		statement, err := attest.NewStatement(predicateType, predicate, subjects...)
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := statement.Sign(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Attach(ctx, old, bundle); err != nil {
			t.Fatal(err)
		}
	}
	s.start("ban-7")
	// The tag cannot be set at first: by then the evidence is there.
	s.server.Inject(registrytest.Rule{Method: "PUT", Path: "/team/app/manifests/1.0", Times: 2, Fault: registrytest.Status(http.StatusServiceUnavailable, nil)})
	s.run()
	s.wait("ban-7")
	s.moved("ban-7", "team/app")
	verified, err := attest.Verify(ctx, store, s.Host+"/team/app:1.0", attest.Policy{
		Trust: trust, At: time.Now(), Builders: []string{builder}, Sources: []string{"https://git.example/team/app"}, UnsafeUntested: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if b := verified.Provenance.Bases()[0]; !b.Moved || s.Host+"/base@"+b.Effective.Digest != s.To || b.Requested != from {
		t.Errorf("%+v", b)
	}
	image, err := store.Image(ctx, verified.Reference)
	if err != nil {
		t.Fatal(err)
	}
	bundles, err := store.Bundles(ctx, image, []string{runner.ReplacementType, provenance.Type, attest.LintResultType})
	if err != nil || len(bundles) != 3 {
		t.Errorf("%d statements, %v", len(bundles), err)
	}
	for _, b := range bundles {
		if st, err := b.UnverifiedStatement(); err != nil || st.PredicateType == runner.ReplacementType && !strings.Contains(string(st.Predicate), s.before["team/app"]) {
			t.Errorf("%v, %v", st, err)
		}
	}
}
