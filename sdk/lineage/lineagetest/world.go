package lineagetest

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

func digest(name string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(name))) }

// manifest is an image called name, with layers.
func manifest(name, platform string, layers ...string) lineage.Image {
	img := lineage.Image{
		Digest: digest(name), Kind: lineage.KindManifest, Platform: platform, Config: digest("config of " + name),
	}
	diffIDs := make([]string, len(layers))
	for i, layer := range layers {
		diffIDs[i] = digest("layer " + layer)
	}
	img.SetLayers(diffIDs)
	return img
}

func index(name string, children ...lineage.Image) lineage.Image {
	img := lineage.Image{Digest: digest(name), Kind: lineage.KindIndex}
	for _, c := range children {
		img.Manifests = append(img.Manifests, lineage.Child{Digest: c.Digest, Platform: c.Platform})
	}
	return img
}

// on is the edge from an image to a base, both by name.
func on(image, base string, role lineage.Role, grade lineage.Grade) lineage.Edge {
	return lineage.Edge{Image: lineage.Image{Digest: digest(image)}, Base: digest(base), Role: role, Grade: grade, Source: "test"}
}

// names maps the digests of names back.
func names(list ...string) map[string]string {
	m := map[string]string{}
	for _, name := range list {
		m[digest(name)] = name
	}
	return m
}

// edges describes edges, sorted and each once.
func edges(t *testing.T, list []lineage.Edge, known map[string]string) []string {
	t.Helper()
	set := map[string]bool{}
	for _, e := range list {
		set[describe(e, known)] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// ask is what a walk asks a store about an image that it knows.
func ask(t *testing.T, s lineage.Store, name string) []lineage.Image {
	t.Helper()
	return all(t, s.Images(t.Context(), []string{digest(name)}))
}
