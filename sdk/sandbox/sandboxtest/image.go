package sandboxtest

import (
	"archive/tar"
	"bytes"
	"io"
	"runtime"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Platform is that of [Image]: this machine's.
func Platform() string { return "linux/" + runtime.GOARCH }

// File is an entry of a layer. Its header's Name is required; without a Typeflag it is a regular file, and without a Mode
// it has 0644.
type File struct {
	tar.Header
	Content string
}

// Image returns an image whose only file is the probe, as /probe, with more layers on top if there are any. Without an
// entrypoint the config gets the probe.
func Image(tb testing.TB, config v1.Config, layers ...[]File) v1.Image {
	tb.Helper()
	img, err := NewImage(config, layers...)
	if err != nil {
		tb.Fatal(err)
	}
	return img
}

// NewImage is [Image] for examples, which are no tests.
func NewImage(config v1.Config, layers ...[]File) (v1.Image, error) {
	program, err := probe()
	if err != nil {
		return nil, err
	}
	img := empty.Image
	first := []File{{Header: tar.Header{Name: "probe", Mode: 0o755}, Content: string(program)}}
	for _, files := range append([][]File{first}, layers...) {
		layer, err := newLayer(files)
		if err != nil {
			return nil, err
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			return nil, err
		}
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", runtime.GOARCH, config
	if file.Config.Entrypoint == nil {
		file.Config.Entrypoint = []string{"/probe"}
	}
	return mutate.ConfigFile(img, file)
}

// Layer returns a layer with these entries in this order.
func Layer(tb testing.TB, files ...File) v1.Layer {
	tb.Helper()
	layer, err := newLayer(files)
	if err != nil {
		tb.Fatal(err)
	}
	return layer
}

func newLayer(files []File) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := f.Header
		if h.Typeflag == 0 {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(f.Content))
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, f.Content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
}
