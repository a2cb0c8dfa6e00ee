package docker_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

func TestBadImages(t *testing.T) {
	newRuntime(t)
	rt := newRuntimeOf(t, docker.Options{MaxBytes: 10 << 20, MaxEntries: 100})
	many := make([]sandboxtest.File, 200)
	for n := range many {
		many[n] = sandboxtest.File{Header: tar.Header{Name: strings.Repeat("x", n+1)}}
	}
	tests := []struct {
		name  string
		image v1.Image
		want  string
	}{
		{"a bomb", withLayer(t, bomb(t)), "zeros: the files of the image are larger than the limit; Options.MaxBytes sets it"},
		{"many files", sandboxtest.Image(t, v1.Config{}, many), "more files than the limit; Options.MaxEntries sets it"},
		{"a layer that is no archive", withLayer(t, gzipped(t, bytes.Repeat([]byte("no archive "), 1000))), "tar"},
		{"a layer that cannot be read", broken{sandboxtest.Image(t, v1.Config{Env: []string{"UNIQUE=" + rand.Text()}})}, "the registry is gone"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			i, err := rt.Start(t.Context(), sandbox.Spec{Image: test.image, Platform: sandboxtest.Platform(), Args: []string{"sleep"}})
			if err == nil {
				_ = i.Close(t.Context())
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v\ndoes not say %q", err, test.want)
			}
		})
	}
	// Nothing of it is in the way of the next.
	start(t, newRuntimeOf(t, docker.Options{}), sandbox.Spec{Args: []string{"sleep"}})
}

// bomb is a layer of 100 MB in 100 kB.
func bomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	const size = 100 << 20
	if err := w.WriteHeader(&tar.Header{Name: "zeros", Mode: 0o644, Size: size}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, zeros{}, size); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return gzipped(t, b.Bytes())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func withLayer(t *testing.T, data []byte) v1.Image {
	t.Helper()
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// broken is an image of a registry that fails in the middle.
type broken struct{ v1.Image }

func (b broken) Layers() ([]v1.Layer, error) {
	layers, err := b.Image.Layers()
	for n := range layers {
		layers[n] = brokenLayer{layers[n]}
	}
	return layers, err
}

type brokenLayer struct{ v1.Layer }

func (b brokenLayer) Compressed() (io.ReadCloser, error) {
	layer, err := b.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	rest := io.MultiReader(io.LimitReader(layer, 1000), failing{})
	return io.NopCloser(rest), nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the registry is gone") }

// What is in the daemon without us is used as it is, and is still there afterwards.
func TestAnImageOfTheDaemonStays(t *testing.T) {
	newRuntime(t)
	c, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tag, err := name.NewTag("plimsoll.example/kept:" + strings.ToLower(rand.Text()))
	if err != nil {
		t.Fatal(err)
	}
	nameless, named := load(t, c, tag), load(t, c, tag) // the second takes the name from the first
	rt := newRuntimeOf(t, docker.Options{})
	for _, image := range []v1.Image{named, nameless} {
		if err := start(t, rt, sandbox.Spec{Image: image, Args: []string{"exit", "0"}}).Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := rt.Close(); err != nil {
		t.Fatal(err)
	}
	for what, image := range map[string]v1.Image{"named": named, "nameless": nameless} {
		id, err := image.ConfigName()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.ImageInspect(t.Context(), id.String()); err != nil {
			t.Errorf("the %s image was removed: %v", what, err)
		}
	}
}

// load puts a new image into the daemon until the end of the test.
func load(t *testing.T, c *client.Client, tag name.Tag) v1.Image {
	t.Helper()
	image := sandboxtest.Image(t, v1.Config{Env: []string{"UNIQUE=" + rand.Text()}})
	id, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tarball.Write(tag, image, &b); err != nil {
		t.Fatal(err)
	}
	answer, err := c.ImageLoad(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	if _, err := io.Copy(io.Discard, answer); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := c.ImageRemove(context.WithoutCancel(t.Context()), id.String(), client.ImageRemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	})
	return image
}
