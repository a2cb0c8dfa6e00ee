// Package enginetest has what tests of gates need: images with a program that waits, a Docker daemon of a test's own, and
// a containerd with its CRI.
package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// idle is the program, built once per process.
var idle = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "idle")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "idle")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-ldflags=-s -w", "-o", out, "github.com/plimsoll-dev/plimsoll/internal/enginetest/idle")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	data, err := os.ReadFile(out)
	return string(data), err
})

// Base makes an image with one layer, which is different for each name: a base.
func Base(t testing.TB, text string) v1.Image {
	t.Helper()
	return image(t, map[string]string{"etc/base": text}, registrytest.ImageOptions{})
}

// Image makes an image whose instances wait, on a base (or on nothing, with nil).
func Image(t testing.TB, text string, base v1.Image) v1.Image {
	t.Helper()
	program, err := idle()
	if err != nil {
		t.Fatal(err)
	}
	return image(t, map[string]string{"idle": program, "etc/name": text},
		registrytest.ImageOptions{Base: base, Config: v1.Config{Entrypoint: []string{"/idle"}}})
}

func image(t testing.TB, files map[string]string, opts registrytest.ImageOptions) v1.Image {
	t.Helper()
	img, err := registrytest.Image(files, opts)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// Digests returns an image's manifest and config digests, and the ChainID of its layers.
func Digests(t testing.TB, img v1.Image) (manifest, config string, layers []string) {
	t.Helper()
	m, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range file.RootFS.DiffIDs {
		layers = append(layers, id.String())
	}
	return m.String(), c.String(), layers
}

// Archive is an image as docker load takes it.
func Archive(t testing.TB, ref string, img v1.Image) []byte {
	t.Helper()
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := tarball.Write(tag, img, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
