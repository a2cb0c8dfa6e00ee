package registry_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

func annotate(t *testing.T, idx v1.ImageIndex, add registry.Annotations) v1.ImageIndex {
	t.Helper()
	out, err := registry.Annotate(idx, add)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnnotateKeepsEverythingElse(t *testing.T) {
	const base = "org.opencontainers.image.base.name"
	before := mutate.Annotations(index(t, "linux/amd64", "linux/arm/v7"), map[string]string{"kept": "yes", base: "old"}).(v1.ImageIndex)
	after := annotate(t, before, registry.Annotations{
		Index:    map[string]string{base: "demo:1"},
		Manifest: func(platform string) map[string]string { return map[string]string{"platform": platform} },
	})
	if err := validate.Index(after); err != nil {
		t.Fatal(err)
	}
	was, _ := before.IndexManifest()
	is, err := after.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"kept": "yes", base: "demo:1"}, is.Annotations); diff != "" {
		t.Errorf("annotations of the index:\n%s", diff)
	}
	for i, desc := range is.Manifests {
		old, _ := before.Image(was.Manifests[i].Digest)
		img, err := after.Image(desc.Digest)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := old.Manifest()
		b, _ := img.Manifest()
		if diff := cmp.Diff(a.Layers, b.Layers, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("layers:\n%s", diff)
		}
		if diff := cmp.Diff(a.Config, b.Config); diff != "" {
			t.Errorf("config:\n%s", diff)
		}
		if got := b.Annotations["platform"]; got != desc.Platform.String() {
			t.Errorf("manifest for %s has the annotation of %s", desc.Platform, got)
		}
		desc.Digest, desc.Size = was.Manifests[i].Digest, was.Manifests[i].Size
		if diff := cmp.Diff(was.Manifests[i], desc); diff != "" {
			t.Errorf("descriptor:\n%s", diff)
		}
	}
}

// Fields that go-containerregistry does not know, such as a config's or a manifest's of tomorrow, survive.
func TestAnnotateKeepsUnknownFields(t *testing.T) {
	idx := rawIndex{index(t, "linux/amd64"), `"org.example.future":{"a":1}`}
	out := annotate(t, idx, registry.Annotations{Index: map[string]string{"a": "b"}})
	raw, err := out.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	if string(fields["org.example.future"]) != `{"a":1}` {
		t.Errorf("got %s", raw)
	}
}

// rawIndex is an index with a further field.
type rawIndex struct {
	baseIndex
	field string
}

// baseIndex has a name that does not hide the method ImageIndex.
type baseIndex = interface {
	v1.ImageIndex
}

func (r rawIndex) RawManifest() ([]byte, error) {
	raw, err := r.baseIndex.RawManifest()
	return append([]byte("{"+r.field+","), raw[1:]...), err
}

func TestAnnotateWithNothing(t *testing.T) {
	idx := index(t, "linux/amd64")
	want, _ := idx.IndexManifest()
	got, err := annotate(t, idx, registry.Annotations{}).IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnnotateNestedIndex(t *testing.T) {
	idx := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: index(t, "linux/amd64")})
	out := annotate(t, idx, registry.Annotations{Index: map[string]string{"a": "b"}})
	srv := start(t, registrytest.Options{})
	ref, err := fast(t, registry.Options{}).Push(t.Context(), srv.Ref("team/app"), out, registry.PushOptions{})
	if err != nil {
		t.Fatal(err)
	}
	intact(t, srv, "team/app@"+ref.DigestStr())
	got, err := fast(t, registry.Options{}).Config(t.Context(), ref.String(), "linux/amd64")
	if err != nil || got.Platform != "linux/amd64" {
		t.Errorf("%s, %v", got.Platform, err)
	}
}

func TestAnnotateRefusesAttestations(t *testing.T) {
	idx := index(t, "linux/amd64")
	list, _ := idx.IndexManifest()
	statement, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte("{}"), "application/vnd.in-toto+json"))
	if err != nil {
		t.Fatal(err)
	}
	idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: statement, Descriptor: v1.Descriptor{
		MediaType: types.OCIManifestSchema1,
		Platform:  &v1.Platform{OS: "unknown", Architecture: "unknown"},
		Annotations: map[string]string{
			"vnd.docker.reference.type":   "attestation-manifest",
			"vnd.docker.reference.digest": list.Manifests[0].Digest.String(),
		},
	}})
	if _, err := registry.Annotate(idx, registry.Annotations{Index: map[string]string{"a": "b"}}); !errors.Is(err, registry.ErrAttested) {
		t.Errorf("got %v", err)
	}
}

func TestLayoutRoundTrip(t *testing.T) {
	idx, err := random.Index(2000, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	idx = annotate(t, idx, registry.Annotations{Index: map[string]string{"a": "b"}})
	dir := filepath.Join(t.TempDir(), "new", "layout")
	if err := registry.SaveLayout(dir, idx); err != nil {
		t.Fatal(err)
	}
	loaded, err := registry.LoadLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(loaded); err != nil {
		t.Error(err)
	}
	want, _ := idx.Digest()
	if got, _ := loaded.Digest(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLayoutBadInput(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := registry.SaveLayout(dir, index(t, "linux/amd64")); err == nil {
		t.Error("a layout was written into a directory that is not empty")
	}
	if _, err := registry.LoadLayout(dir); err == nil {
		t.Error("a directory without a layout was loaded")
	}
	parent := t.TempDir()
	if err := registry.SaveLayout(filepath.Join(parent, "layout"), missing{index(t, "linux/amd64")}); err == nil {
		t.Error("an index without its images was saved")
	}
	left, err := os.ReadDir(parent)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// missing is an index whose layers can't be read.
type missing struct{ baseIndex }

func (m missing) Image(h v1.Hash) (v1.Image, error) {
	img, err := m.baseIndex.Image(h)
	return missingImage{img}, err
}

type missingImage struct{ v1.Image }

func (missingImage) Layers() ([]v1.Layer, error) { return nil, errors.New("no such blob") }

func TestAnnotationsAreMergedPerPlatform(t *testing.T) {
	seen := map[string]bool{}
	annotate(t, index(t, "linux/amd64", "linux/arm64"), registry.Annotations{Manifest: func(platform string) map[string]string {
		seen[platform] = true
		return nil
	}})
	if diff := cmp.Diff(map[string]bool{"linux/amd64": true, "linux/arm64": true}, maps.Clone(seen)); diff != "" {
		t.Error(diff)
	}
}
