package attest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// withoutAPI makes the registry one that does not know the referrers API.
func (s *shop) withoutAPI() {
	s.server.Inject(registrytest.Rule{Path: "/referrers/", Fault: registrytest.Status(http.StatusNotFound, nil)})
}

func TestRegistryWithoutReferrers(t *testing.T) {
	s := newShop(t)
	s.withoutAPI()
	s.attach(t, s.good(t)...)
	s.attach(t, s.good(t)[0]) // again does no harm
	if _, err := attest.Verify(t.Context(), s.store, s.ref, s.policy); err != nil {
		t.Error(err)
	}
}

func TestDebianRegistry(t *testing.T) {
	s := newShopAt(t, testenv.DockerRegistry(t, ""))
	s.store = attest.NewStore(s.client, attest.StoreOptions{Tags: true})
	s.attach(t, s.good(t)...)
	if _, err := attest.Verify(t.Context(), s.store, s.ref, s.policy); err != nil {
		t.Error(err)
	}
	a, err := s.client.Artifact(t.Context(), s.image.Repository+":"+tagOf(s.image)+".att", attest.MaxBundleBytes)
	if err != nil || len(a.Blobs) != 3 {
		t.Errorf("under the old tag: %v, %v", a, err)
	}
}

func tagOf(image *attest.Image) string { return strings.Replace(image.Digest.String(), ":", "-", 1) }

// Writers of the same list, in processes that know nothing of each other, do not lose each other's.
func TestConcurrentWriters(t *testing.T) {
	s := newShop(t)
	s.withoutAPI()
	const writers = 6
	var group sync.WaitGroup
	for i := range writers {
		bundle := statement(t, s.key, attest.TestResultType, map[string]int{"writer": i}, subjects(s.image)[0])
		client := registry.New(registry.Options{Retries: -1})
		t.Cleanup(client.Close)
		group.Go(func() {
			if err := attest.NewStore(client, attest.StoreOptions{}).Attach(t.Context(), s.image, bundle); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	bundles, err := s.store.Bundles(t.Context(), s.image, []string{attest.TestResultType})
	if err != nil || len(bundles) != writers {
		t.Errorf("%d of %d are left, %v", len(bundles), writers, err)
	}
}

// GitLab answers for the fallback tag with the subject itself, whose children then look like referrers.
func TestFalseReferrers(t *testing.T) {
	s := newShop(t)
	s.withoutAPI()
	tag, err := name.NewTag(s.image.Repository + ":" + tagOf(s.image))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := s.client.Index(t.Context(), s.ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Tag(tag, subject.(remote.Taggable)); err != nil {
		t.Fatal(err)
	}
	if list, err := s.client.Referrers(t.Context(), s.ref); err != nil || len(list) != 0 {
		t.Errorf("got %v, %v", list, err)
	}
	// A list that names what does not refer to the image: its own children, and evidence about another one.
	_, other := s.push(t, s.server.Ref("team/app"), "other", "linux/amd64")
	bundle := statement(t, s.key, attest.TestResultType, testResult("PASSED", now), subjects(other)...)
	if err := s.store.Attach(t.Context(), other, bundle); err != nil {
		t.Fatal(err)
	}
	list, err := s.client.Referrers(t.Context(), other.Reference())
	if err != nil || len(list) != 1 {
		t.Fatalf("got %v, %v", list, err)
	}
	for _, m := range s.image.Manifests {
		list = append(list, v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: m.Digest, Size: 1})
	}
	raw, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: list})
	if err != nil {
		t.Fatal(err)
	}
	s.server.Reset()
	s.server.Inject(registrytest.Rule{Path: "/referrers/", Fault: registrytest.Answer(raw)})
	bundles, err := s.store.Bundles(t.Context(), s.image, []string{attest.TestResultType})
	if err == nil && len(bundles) > 0 {
		t.Errorf("took %d bundles that refer to something else", len(bundles))
	}
	if got, err := attest.Verify(t.Context(), s.store, s.ref, s.policy); err == nil {
		t.Errorf("got %v", got)
	}
}

func TestRegistryThatLosesAReferrer(t *testing.T) {
	s := newShop(t)
	s.server.Inject(registrytest.Rule{Path: "/referrers/", Fault: registrytest.Answer([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`))})
	ctx := t.Context()
	err := s.store.Attach(ctx, s.image, s.good(t)[0])
	if !errors.Is(err, registry.ErrLost) {
		t.Errorf("got %v", err)
	}
}

// Somebody who may push can fill the list; that denies, and does not exhaust the one who looks.
func TestFloodOfReferrers(t *testing.T) {
	s := newShop(t)
	var list []v1.Descriptor
	for range 101 {
		list = append(list, v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: s.image.Digest, Size: 1, ArtifactType: attest.BundleMediaType})
	}
	raw, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: list})
	if err != nil {
		t.Fatal(err)
	}
	s.server.Inject(registrytest.Rule{Path: "/referrers/", Fault: registrytest.Answer(raw)})
	if _, err := attest.Verify(t.Context(), s.store, s.ref, s.policy); err == nil || !strings.Contains(err.Error(), "more than 100 statements about it") {
		t.Errorf("got %v", err)
	}
}

// A bundle that is larger than any evidence is refused before it is read.
func TestHugeBundle(t *testing.T) {
	s := newShop(t)
	m, err := s.client.Manifest(t.Context(), s.ref)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.client.PushArtifact(t.Context(), s.image.Repository, registry.Artifact{
		Type: attest.BundleMediaType, Subject: &m.Descriptor,
		Blobs: []registry.Blob{{MediaType: attest.BundleMediaType, Data: make([]byte, attest.MaxBundleBytes+1)}},
	}, registry.PushOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.server.Reset()
	if _, err := attest.Verify(t.Context(), s.store, s.ref, s.policy); err == nil || !strings.Contains(err.Error(), "larger than 16777216 bytes") {
		t.Errorf("got %v", err)
	}
	for _, r := range s.server.Requests() {
		if strings.Contains(r.Path, "/blobs/") {
			t.Errorf("it was read: %s", r)
		}
	}
}
