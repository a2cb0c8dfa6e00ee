package storm_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/plimsoll-dev/plimsoll/internal/harbour"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// has says whether an image is built again for a reason.
func has(i storm.Item, code rebuild.Code) bool {
	return i.Verb == rebuild.DoRebuild && slices.ContainsFunc(i.Reasons, func(r rebuild.Reason) bool { return r.Code == code })
}

// put pushes an image that something is wrong with, under a tag, and tells the lineage that it was built on the old base.
func put(t *testing.T, h *harbour.Harbour, name string, img v1.Image) {
	t.Helper()
	manifest, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	mediaType, err := img.MediaType()
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	w, err := h.Client.Writer(t.Context(), h.Host+"/"+name)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Blob(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	ref, err := w.Manifest(t.Context(), "1.0", mediaType, manifest)
	if err != nil {
		t.Fatal(err)
	}
	known(t, h, name, ref.DigestStr())
}

func known(t *testing.T, h *harbour.Harbour, name, digest string) {
	t.Helper()
	err := h.Lineage.Put(t.Context(), lineage.Batch{
		Images: []lineage.Image{{
			Digest: digest, Kind: lineage.KindManifest, Platform: "linux/amd64",
			Definition: lineage.Definition{Repository: "https://git.example/" + name, Commit: "1", Path: "Dockerfile", Grade: lineage.GradeBuild},
		}},
		Edges: []lineage.Edge{{
			Image: lineage.Image{Digest: digest}, Base: strings.TrimPrefix(h.From, h.Host+"/base@"), Name: h.Host + "/base:12.8", Role: lineage.RoleBase, Grade: lineage.GradeBuild,
		}},
		Tags: []lineage.Tag{{Repository: h.Host + "/" + name, Name: "1.0", Digest: digest, Since: time.Now()}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func oldBase(t *testing.T, h *harbour.Harbour) v1.Image {
	t.Helper()
	img, err := h.Client.Image(t.Context(), h.From, "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// A base and its replacement with different architectures: nothing is rebased, and nothing is taken for something else.
func TestReplacementForAnotherPlatform(t *testing.T) {
	t.Parallel()
	h, planner, _ := open(t, harbour.Ship{Name: "team/app"})
	arm, err := registrytest.Image(map[string]string{harbour.Changed: "arm"}, registrytest.ImageOptions{Platform: "linux/arm64"})
	if err != nil {
		t.Fatal(err)
	}
	index, err := registrytest.Index(arm)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := h.Client.Push(t.Context(), h.Host+"/base", index, registry.PushOptions{Tags: []string{"arm"}})
	if err != nil {
		t.Fatal(err)
	}
	q := h.Question("ban-7")
	q.Replace = storm.To(h.Host+"/base:arm", ref.DigestStr(), false)
	if got := preview(t, planner, q).Items[0]; !has(got, rebuild.Unreadable) && !has(got, rebuild.OtherPlatform) {
		t.Errorf("%+v", got)
	}
}

func TestConfigAndLayersThatDisagree(t *testing.T) {
	t.Parallel()
	h, planner, _ := open(t)
	base := oldBase(t, h)
	config, err := base.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, config.RootFS.DiffIDs[0])
	img, err := mutate.ConfigFile(base, config)
	if err != nil {
		t.Fatal(err)
	}
	put(t, h, "team/damaged", img)
	if got := preview(t, planner, h.Question("ban-7")).Items[0]; !has(got, rebuild.Damaged) {
		t.Errorf("%+v", got)
	}
}

func TestForeignLayer(t *testing.T) {
	t.Parallel()
	h, planner, _ := open(t)
	layers, err := oldBase(t, h).Layers()
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.Append(oldBase(t, h), mutate.Addendum{Layer: layers[0], MediaType: types.DockerForeignLayer, URLs: []string{"https://elsewhere.example/layer"}})
	if err != nil {
		t.Fatal(err)
	}
	put(t, h, "team/foreign", img)
	if got := preview(t, planner, h.Question("ban-7")).Items[0]; !has(got, rebuild.ForeignLayer) {
		t.Errorf("%+v", got)
	}
}

func TestManifestOfSchema1(t *testing.T) {
	t.Parallel()
	h, planner, _ := open(t)
	w, err := h.Client.Writer(t.Context(), h.Host+"/team/ancient")
	if err != nil {
		t.Fatal(err)
	}
	ref, err := w.Manifest(t.Context(), "1.0", types.DockerManifestSchema1, []byte(`{"schemaVersion":1,"name":"team/ancient","tag":"1.0","fsLayers":[],"history":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	known(t, h, "team/ancient", ref.DigestStr())
	if got := preview(t, planner, h.Question("ban-7")).Items[0]; !has(got, rebuild.Unreadable) {
		t.Errorf("%+v", got)
	}
}

// An image of nothing stands on nothing, whatever is said of it.
func TestImageWithoutLayers(t *testing.T) {
	t.Parallel()
	h, planner, _ := open(t)
	put(t, h, "team/empty", empty.Image)
	if got := preview(t, planner, h.Question("ban-7")).Items[0]; !has(got, rebuild.Unreadable) && !has(got, rebuild.NotOnBase) {
		t.Errorf("%+v", got)
	}
}
