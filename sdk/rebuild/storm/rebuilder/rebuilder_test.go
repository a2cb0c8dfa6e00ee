package rebuilder_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/shop"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/scan"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/rebuilder"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

const builderID = "https://build.example/plimsoll"

const banning = `version: 1
owner: ops@example.com
bases:
  - repository: HOST/base/demo
    versions: ">=1.5 <2"
bans:
  - id: BAN-7
    repository: HOST/base/demo
    versions: "<1.5"
    reason: CVE-2026-1234
    severity: high
    denyFrom: 2026-01-01
    author: ana
    approver: ben
    replacement: {newest: ">=1.5 <2"}
`

// A delivery with evidence, a ban, and the image built again from the commit that the provenance names: on what the
// catalog says by then, with evidence of its own, and the tag moved.
func TestPipeline(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	work, err := shop.Open(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(work.Close)
	commit, err := work.Define("app")
	if err != nil {
		t.Fatal(err)
	}
	key, err := attest.GenerateKey(attest.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	evidence := attest.NewStore(work.Client, attest.StoreOptions{})
	index := lineage.NewMemory()
	delivery := work.Delivery()
	delivery.Evidence = &pipeline.Evidence{Signer: key, Store: evidence, Builder: builderID}
	delivery.Lineage = index
	order := pipeline.Order{
		Repository: work.Repository, Ref: commit, Layout: filepath.Join(t.TempDir(), "layout"), Publish: work.Server.Ref("pay/app"), Tags: []string{"1"},
		Labels: map[string]string{pipeline.OwnerLabel: "pay"},
	}
	order.Load.Dir = "app"
	was, err := delivery.Run(ctx, pipeline.NewRun(pipeline.Options{}), order)
	if err != nil {
		t.Fatal(err)
	}
	base(t, work, index, "1.4.9")
	base(t, work, index, "1.5.0")

	cat, err := catalog.Load("catalog.yaml", []byte(strings.ReplaceAll(banning, "HOST", work.Server.Host)))
	if err != nil {
		t.Fatal(err)
	}
	delivery.Catalog = cat
	trust := attest.Keys{{Name: "build", Key: key.Public()}}
	r, err := runner.Open(ctx, runner.Options{
		Database: filepath.Join(t.TempDir(), "storm.db"), Registry: work.Client, Lineage: index,
		Evidence: &runner.Evidence{Signer: key, Store: evidence, Trust: trust, Builder: builderID, Now: time.Now},
		Engines: []runner.Engine{{Name: "here", Rebuilder: &rebuilder.Pipeline{
			Delivery: delivery, Origin: &rebuilder.Origin{Source: evidence, Trust: trust, Builders: []string{builderID}, Now: time.Now},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	question, err := storm.FromBan(cat, "BAN-7", work.Client, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	planner := &storm.Planner{Lineage: index, Mover: r.Mover()}
	preview, err := planner.Preview(ctx, question)
	if err != nil {
		t.Fatal(err)
	}
	if len(preview.Items) != 1 || preview.Items[0].Verb != rebuild.DoRebuild || preview.Items[0].Owner != "pay" {
		t.Fatalf("%+v", preview)
	}
	if _, err := r.Start(ctx, preview); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(running) }()
	if _, err := r.Wait(ctx, "BAN-7", nil); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	outcomes, err := r.Outcomes(ctx, "BAN-7")
	if err != nil {
		t.Fatal(err)
	}
	o := outcomes[0]
	if o.State != "done" || o.Result == was.Reference {
		t.Fatalf("%s: %s", o.State, o.Reason)
	}
	verified, err := attest.Verify(ctx, evidence, work.Server.Ref("pay/app:1"), attest.Policy{
		Trust: trust, At: time.Now(), Builders: []string{builderID}, UnsafeAnySource: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := verified.Provenance.Bases(); verified.Reference != o.Result || len(got) != 1 || !strings.HasSuffix(got[0].Effective.Ref, "demo:1.5.0") {
		t.Errorf("%s stands on %+v", verified.Reference, got)
	}
	if _, c := verified.Provenance.Source(); c != commit {
		t.Errorf("built from %s, want %s", c, commit)
	}
	image, err := evidence.Image(ctx, o.Result)
	if err != nil {
		t.Fatal(err)
	}
	bundles, err := evidence.Bundles(ctx, image, []string{runner.ReplacementType})
	if err != nil || len(bundles) != 1 {
		t.Fatalf("%d statements about the replacement, %v", len(bundles), err)
	}
	s, err := bundles[0].UnverifiedStatement()
	if err != nil || !strings.Contains(string(s.Predicate), `"becauseOf":"BAN-7"`) || !strings.Contains(string(s.Predicate), was.Build.Digest.String()) {
		t.Errorf("%s, %v", s.Predicate, err)
	}
}

func base(t *testing.T, work *shop.Shop, index lineage.Store, version string) {
	t.Helper()
	img, err := registrytest.Image(map[string]string{"version": version}, registrytest.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	idx, err := registrytest.Index(img)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := work.Client.Push(t.Context(), work.Server.Ref("base/demo"), idx, registry.PushOptions{Tags: []string{version}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := scan.Index(idx)
	if err != nil {
		t.Fatal(err)
	}
	b.Tags = append(b.Tags, lineage.Tag{Repository: work.Server.Ref("base/demo"), Name: version, Digest: ref.DigestStr(), Since: time.Now()})
	if err := index.Put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// Provenance that nobody trusted signed, or of another builder, is none: nothing is guessed.
func TestNoOrigin(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	client := registry.New(registry.Options{})
	t.Cleanup(client.Close)
	img, err := registrytest.Image(map[string]string{"app": "1"}, registrytest.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := server.Push(ctx, "pay/app:1", img)
	if err != nil {
		t.Fatal(err)
	}
	ref := server.Ref("pay/app@" + digest)
	ours, err := attest.GenerateKey(attest.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := attest.GenerateKey(attest.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	store := attest.NewStore(client, attest.StoreOptions{})
	origin := &rebuilder.Origin{Source: store, Trust: attest.Keys{{Name: "ours", Key: ours.Public()}}, Builders: []string{builderID}, Now: time.Now}
	say := func(key *attest.Key, builder, commit string) {
		t.Helper()
		image, err := store.Image(ctx, ref)
		if err != nil {
			t.Fatal(err)
		}
		p := &provenance.Provenance{
			BuildDefinition: provenance.BuildDefinition{BuildType: provenance.BuildType, External: provenance.External{Repository: "https://git.example/pay", Commit: commit}},
			RunDetails:      provenance.RunDetails{Builder: provenance.Builder{ID: builder}},
		}
		s, err := attest.NewStatement(provenance.Type, p, attest.NewSubject("", image.Digest))
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Sign(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Attach(ctx, image, b); err != nil {
			t.Fatal(err)
		}
	}
	none := func(what string) {
		t.Helper()
		if got, err := origin.Of(ctx, ref); !errors.Is(err, rebuilder.ErrNoOrigin) {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	none("without provenance")
	say(theirs, builderID, "bad")
	none("signed by somebody else")
	say(ours, "https://elsewhere.example", "bad")
	none("of another builder")
	say(ours, builderID, "good")
	if got, err := origin.Of(ctx, ref); err != nil || got.Commit != "good" {
		t.Errorf("%+v, %v", got, err)
	}
}
