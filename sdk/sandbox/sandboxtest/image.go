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
	program := File{Header: tar.Header{Name: "probe", Mode: 0o755}, Content: string(Probe(tb))}
	var err error
	img := empty.Image
	for _, files := range append([][]File{{program}}, layers...) {
		if img, err = mutate.AppendLayers(img, Layer(tb, files...)); err != nil {
			tb.Fatal(err)
		}
	}
	file, err := img.ConfigFile()
	if err != nil {
		tb.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", runtime.GOARCH, config
	if file.Config.Entrypoint == nil {
		file.Config.Entrypoint = []string{"/probe"}
	}
	if img, err = mutate.ConfigFile(img, file); err != nil {
		tb.Fatal(err)
	}
	return img
}

// Layer returns a layer with these entries in this order.
func Layer(tb testing.TB, files ...File) v1.Layer {
	tb.Helper()
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
			tb.Fatal(err)
		}
		if _, err := io.WriteString(w, f.Content); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		tb.Fatal(err)
	}
	return layer
}
