package rebuild_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
)

func rebase(t *testing.T, img, from, to v1.Image) *rebuild.Rebased {
	t.Helper()
	facts, err := rebuild.ReadImage(img, proven)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	moved, err := rebuild.Rebase(facts, manifest, compare(t, from, to), rebuild.Names{Base: "registry.test/base:12.9", Because: "ban-7"})
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

// What a rebase makes is, but for the annotations that say so, what a build on the new base makes.
func TestRebaseIsARebuild(t *testing.T) {
	t.Parallel()
	from, to := bases(t)
	build := func(base v1.Image) v1.Image {
		return imageOf(t, base, func(c *v1.ConfigFile) {
			c.Config.Env = append(c.Config.Env, "APP=1")
			c.Config.Labels = map[string]string{"team": "pay"}
			c.Config.User, c.Config.Cmd = "1000", []string{"/app"}
		}, copied(file{name: "app", content: "app"}), step{by: "ENV APP=1"}, copied(file{name: "conf", content: "c"}))
	}
	moved := rebase(t, build(from), from, to)
	want, err := build(to).RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(decoded(t, want), decoded(t, moved.Config)); diff != "" {
		t.Errorf("configuration, rebuilt (-) and rebased (+):\n%s", diff)
	}
	rebuilt, err := build(to).Manifest()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(moved.Manifest))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rebuilt.Layers, manifest.Layers, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("layers, rebuilt (-) and rebased (+):\n%s", diff)
	}
	again := rebase(t, build(from), from, to)
	if again.Digest != moved.Digest {
		t.Errorf("the same rebase gives %s and %s", moved.Digest, again.Digest)
	}
}

func decoded(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestRebaseKeepsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	from, to := bases(t)
	img := imageOf(t, from, func(c *v1.ConfigFile) { c.Variant, c.Author = "v8", "somebody" }, copied(file{name: "app", content: "a"}))
	img = mutate.Annotations(img, map[string]string{"org.opencontainers.image.revision": "abc"}).(v1.Image)
	manifest, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	manifest = bytes.Replace(manifest, []byte("{"), []byte(`{"unknown":{"a":1.50},`), 1)
	facts, err := rebuild.ReadImage(img, proven)
	if err != nil {
		t.Fatal(err)
	}
	facts.Raw = bytes.Replace(facts.Raw, []byte("{"), []byte(`{"x-own":[1],`), 1)
	moved, err := rebuild.Rebase(facts, manifest, compare(t, from, to), rebuild.Names{Base: "registry.test/base:12.9"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"unknown":{"a":1.50}`, `"org.opencontainers.image.revision":"abc"`, rebuild.AnnotationFrom} {
		if !bytes.Contains(moved.Manifest, []byte(want)) {
			t.Errorf("the manifest lacks %s:\n%s", want, moved.Manifest)
		}
	}
	for _, want := range []string{`"x-own":[1]`, `"variant":"v8"`, `"author":"somebody"`} {
		if !bytes.Contains(moved.Config, []byte(want)) {
			t.Errorf("the configuration lacks %s:\n%s", want, moved.Config)
		}
	}
}

// Libraries that take the number of history entries for the number of layers lose the first layer of an image whose base
// has no history. It is reproduced here with go-containerregistry's mutate.Rebase, so that it is seen when that changes.
func TestRebaseWithoutHistoryLosesNoLayer(t *testing.T) {
	t.Parallel()
	forget := func(c *v1.ConfigFile) { c.History = nil }
	from := imageOf(t, nil, forget, step{"ADD rootfs.tar /", oldFiles})
	to := imageOf(t, nil, forget, step{"ADD rootfs.tar /", newFiles})
	img := imageOf(t, from, forget, copied(file{name: "one", content: "1"}), copied(file{name: "two", content: "2"}))
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var own []v1.Hash
	for _, l := range layers[1:] {
		digest, err := l.Digest()
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, digest)
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(rebase(t, img, from, to).Manifest))
	if err != nil {
		t.Fatal(err)
	}
	var got []v1.Hash
	for _, l := range manifest.Layers[1:] {
		got = append(got, l.Digest)
	}
	if !slices.Equal(got, own) {
		t.Errorf("own layers %s, want %s", got, own)
	}
	theirs, err := mutate.Rebase(img, from, to)
	if err != nil {
		t.Fatalf("mutate.Rebase refuses it now, so the warning can go: %v", err)
	}
	if layers, err := theirs.Layers(); err != nil || len(layers) == 3 {
		t.Errorf("mutate.Rebase keeps all %d layers now, so the warning can go (%v)", len(layers), err)
	}
}

func TestRebaseRefusesConflicts(t *testing.T) {
	t.Parallel()
	from, to := bases(t)
	img := imageOf(t, from, func(c *v1.ConfigFile) { c.Config.Env = []string{"BASE=mine"} })
	facts, err := rebuild.ReadImage(img, proven)
	if err != nil {
		t.Fatal(err)
	}
	_, err = rebuild.Rebase(facts, []byte("{}"), compare(t, from, to), rebuild.Names{})
	if err == nil {
		t.Fatal("a conflict was merged")
	}
	const want = `config.Env.BASE: is "mine" in the image, and the new base changed it from "12.8" to "12.9"`
	if got := err.Error(); len(got) < len(want) || got[len(got)-len(want):] != want {
		t.Errorf("error %q", got)
	}
}
