package conformance

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/plimsoll-dev/plimsoll/internal/baseimage"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

// Registry starts a registry on loopback that lives as long as the test and returns its host.
func Registry(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// Push pushes an image and returns it as a source, pinned by digest.
func Push(t testing.TB, ref string, img v1.Image) build.Source {
	t.Helper()
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return build.Source{Kind: "image", Ref: ref + "@" + digest.String()}
}

// BasesEnv names a directory with layouts that [WriteBases] wrote, for tests that can't run the go command.
const BasesEnv = "PLIMSOLL_TEST_BASES"

// versions are those of the userland that the suite needs.
var versions = []string{"1.4.8", "6.6.6"}

// WriteBases writes what the suite needs as layouts.
func WriteBases(t testing.TB, dir string) {
	t.Helper()
	for _, version := range versions {
		img, err := baseimage.Userland(t.Context(), version)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := layout.Write(filepath.Join(dir, version), mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img})); err != nil {
			t.Fatal(err)
		}
	}
}

// Userland pushes the userland of a version to a registry of its own.
func Userland(t testing.TB, version string) build.Source {
	t.Helper()
	var img v1.Image
	var err error
	if dir := os.Getenv(BasesEnv); dir != "" {
		var index v1.ImageIndex
		if index, err = layout.ImageIndexFromPath(filepath.Join(dir, version)); err == nil {
			img = image(t, index)
		}
	} else {
		img, err = baseimage.Userland(t.Context(), version)
	}
	if err != nil {
		t.Fatal(err)
	}
	return Push(t, Registry(t)+"/base/userland:"+version, img)
}
