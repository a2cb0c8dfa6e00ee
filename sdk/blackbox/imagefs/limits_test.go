package imagefs_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

// streams is an image whose layers are made while they are read.
type streams struct {
	v1.Image
	layers []func() io.Reader
}

type stream struct {
	v1.Layer
	open func() io.Reader
}

func (s stream) Uncompressed() (io.ReadCloser, error) { return io.NopCloser(s.open()), nil }

func (s streams) Layers() ([]v1.Layer, error) {
	var layers []v1.Layer
	for _, open := range s.layers {
		layers = append(layers, stream{open: open})
	}
	return layers, nil
}

func of(layers ...func() io.Reader) v1.Image { return streams{Image: empty.Image, layers: layers} }

func fileHeader(t testing.TB, name string, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// files is a layer of empty files that never ends.
type files struct{ header []byte }

func (f files) Read(p []byte) (int, error) { return copy(p, f.header), nil }

func TestABombIsOverTheLimit(t *testing.T) {
	big, one := fileHeader(t, "zeros", 1<<40), fileHeader(t, "one", 0)
	tests := []struct {
		name   string
		layer  func() io.Reader
		limits imagefs.Limits
		want   string
	}{
		{"one endless file", func() io.Reader { return io.MultiReader(bytes.NewReader(big), zeros{}) }, imagefs.Limits{Bytes: 1 << 20}, "layer 1: more than 1048576 decompressed bytes"},
		{"endless files", func() io.Reader { return files{one} }, imagefs.Limits{Entries: 100}, "layer 1: more than 100 entries"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := imagefs.New(t.Context(), of(tt.layer), tt.limits)
			var limit *imagefs.LimitError
			if !errors.As(err, &limit) || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error %v, want a LimitError that begins with %q", err, tt.want)
			}
		})
	}
}

func TestReadFile(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 1<<15) // more than is kept in memory
	img := image(t, []string{"small=1", "big=" + content, "dir/"}, []string{"hard=>big", ".wh.big", "soft->hard"})
	files, err := imagefs.New(t.Context(), img, imagefs.Limits{File: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := files.ReadFile(t.Context(), "/soft"); err != nil || string(got) != content {
		t.Errorf("/soft has %d bytes, %v; want the %d of the hard link's", len(got), err, len(content))
	}
	var paths []string
	for item, r := range files.Contents(t.Context(), func(imagefs.Entry) bool { return true }) {
		if item.Err != nil {
			t.Fatal(item.Err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != item.Size {
			t.Errorf("%s: read %d bytes, %v; want %d", item.Path, n, err, item.Size)
		}
		paths = append(paths, item.Path)
	}
	if got := strings.Join(paths, " "); got != "/small /hard" {
		t.Errorf("contents of %s", got)
	}
	if _, err := files.ReadFile(t.Context(), "/dir"); err == nil || err.Error() != "read /dir: is a directory, not a regular file" {
		t.Errorf("reading a directory: %v", err)
	}
	if _, err := files.ReadFile(t.Context(), "/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading what is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := files.ReadFile(ctx, "/soft"); !errors.Is(err, context.Canceled) {
		t.Errorf("reading after the end: %v", err)
	}
	small, err := imagefs.New(t.Context(), img, imagefs.Limits{File: 1024})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := small.ReadFile(t.Context(), "/hard"); err == nil || !strings.Contains(err.Error(), "more than 1024 bytes of /hard") {
		t.Errorf("reading over the limit: %v", err)
	}
}

func TestABrokenLayerIsNamed(t *testing.T) {
	cut := bytes.NewReader(fileHeader(t, "cut", 100)[:300])
	_, err := imagefs.New(t.Context(), of(func() io.Reader { return cut }), imagefs.Limits{})
	var layer *imagefs.LayerError
	if !errors.As(err, &layer) || layer.Layer != 1 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want layer 1 with an unexpected EOF", err)
	}
}
