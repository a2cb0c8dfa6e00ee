//go:build linux

package native_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/native"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

// raw is a layer with any content and any claim about it.
type raw struct {
	v1.Layer
	content func() io.Reader
	diffID  v1.Hash
}

func (r raw) Uncompressed() (io.ReadCloser, error) { return io.NopCloser(r.content()), nil }
func (r raw) DiffID() (v1.Hash, error)             { return r.diffID, nil }
func (r raw) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }

func image(t *testing.T, layer v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(sandboxtest.Image(t, v1.Config{}), layer)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestImagesThatAreRefused(t *testing.T) {
	small := sandboxtest.Layer(t, sandboxtest.File{Header: tar.Header{Name: "file"}, Content: "small"})
	diffID, err := small.DiffID()
	if err != nil {
		t.Fatal(err)
	}
	many := make([]sandboxtest.File, 200)
	for n := range many {
		many[n].Name = strings.Repeat("x", n+1)
	}
	var sparse bytes.Buffer // 1 TiB of holes in a few bytes
	w := tar.NewWriter(&sparse)
	if err := w.WriteHeader(&tar.Header{Name: "huge", Size: 1 << 40, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	limits := native.Options{MaxBytes: 32 << 20, MaxEntries: 100}
	tests := []struct {
		name  string
		layer v1.Layer
		want  string
	}{
		{"too many files", sandboxtest.Layer(t, many...), "it has more files than the limit; Options.MaxEntries sets it"},
		{
			"too large", sandboxtest.Layer(t, sandboxtest.File{Header: tar.Header{Name: "big"}, Content: strings.Repeat("x", 33<<20)}),
			"big: its files are larger than the limit; Options.MaxBytes sets it",
		},
		{
			"a bomb that only says that it is large",
			raw{small, func() io.Reader { return bytes.NewReader(sparse.Bytes()) }, diffID},
			"huge: its files are larger than the limit; Options.MaxBytes sets it",
		},
		{
			"not what the config says",
			raw{small, func() io.Reader { return bytes.NewReader(make([]byte, 1024)) }, diffID},
			"the config says that its content is " + diffID.String(),
		},
		{"no end", raw{small, func() io.Reader { return zeros{} }, diffID}, "the layer goes on after its end"},
		{"not a tar", raw{small, func() io.Reader { return strings.NewReader(strings.Repeat("not a tar ", 200)) }, diffID}, "archive/tar: invalid tar header"},
		{
			"a digest of another kind",
			raw{small, func() io.Reader { return bytes.NewReader(nil) }, v1.Hash{Algorithm: "sha512", Hex: strings.Repeat("0", 128)}},
			`digest algorithm "sha512" is not known`,
		},
	}
	dir := t.TempDir()
	limits.Dir = dir
	rt, err := native.New(t.Context(), limits)
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			i, err := rt.Start(t.Context(), sandbox.Spec{Image: image(t, test.layer), Platform: sandboxtest.Platform()})
			if err == nil {
				_ = i.Close(t.Context())
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "layer 2") {
				t.Errorf("%v\ndoes not say %q", err, test.want)
			}
		})
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			t.Errorf("it has left %s", e.Name())
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestErrorOfATransferIsKept(t *testing.T) {
	cut := errors.New("the registry hung up")
	small := sandboxtest.Layer(t, sandboxtest.File{Header: tar.Header{Name: "file"}, Content: "small"})
	diffID, err := small.DiffID()
	if err != nil {
		t.Fatal(err)
	}
	_, err = newRuntime(t).Start(t.Context(), sandbox.Spec{Image: image(t, raw{small, func() io.Reader { return failing{cut} }, diffID}), Platform: sandboxtest.Platform()})
	if !errors.Is(err, cut) {
		t.Error(err)
	}
}

// TestSharedDirectory: several runtimes, as in several processes, unpack the same image at once.
func TestSharedDirectory(t *testing.T) {
	dir := t.TempDir()
	img := sandboxtest.Image(t, v1.Config{}, []sandboxtest.File{{Header: tar.Header{Name: "readme"}, Content: "shared"}})
	var wg sync.WaitGroup
	for range 4 {
		rt, err := native.New(t.Context(), native.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer rt.Close()
		for range 2 {
			wg.Go(func() {
				i, err := rt.Start(t.Context(), sandbox.Spec{Image: img, Platform: sandboxtest.Platform(), Args: []string{"cat", "/readme"}})
				if err != nil {
					t.Error(err)
					return
				}
				defer i.Close(t.Context())
				if _, err := i.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				if logs, err := i.Logs(t.Context()); err != nil || string(logs.Stdout) != "shared" {
					t.Errorf("%q, %v", logs.Stdout, err)
				}
			})
		}
	}
	wg.Wait()
}

func TestPurge(t *testing.T) {
	dir := t.TempDir()
	rt, err := native.New(t.Context(), native.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	// Directories that even their owner may not write to.
	img := sandboxtest.Image(t, v1.Config{}, []sandboxtest.File{
		{Header: tar.Header{Name: "closed", Typeflag: tar.TypeDir, Mode: 0o555}}, {Header: tar.Header{Name: "closed/file"}},
	})
	i, err := rt.Start(t.Context(), sandbox.Spec{Image: img, Platform: sandboxtest.Platform(), Args: []string{"sleep"}})
	if err != nil {
		t.Fatal(err)
	}
	roots := func() int {
		found, err := filepath.Glob(filepath.Join(dir, "*", "rootfs"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	for _, want := range []int{1, 0} { // while it is in use, and when it is not
		if err := rt.Purge(t.Context()); err != nil {
			t.Error(err)
		}
		if got := roots(); got != want {
			t.Errorf("%d images are left, want %d", got, want)
		}
		if err := i.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestCancelledUnpacking(t *testing.T) {
	dir := t.TempDir()
	rt, err := native.New(t.Context(), native.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	ctx, cancel := context.WithCancel(t.Context())
	small := sandboxtest.Layer(t, sandboxtest.File{Header: tar.Header{Name: "file"}, Content: "small"})
	diffID, err := small.DiffID()
	if err != nil {
		t.Fatal(err)
	}
	slow := raw{small, func() io.Reader { return cancelling{cancel} }, diffID}
	if _, err := rt.Start(ctx, sandbox.Spec{Image: image(t, slow), Platform: sandboxtest.Platform()}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.new"))
	if err != nil || len(left) > 0 {
		t.Errorf("it has left %v, %v", left, err)
	}
}

// cancelling is a transfer during which the user gives up.
type cancelling struct{ cancel func() }

func (c cancelling) Read(p []byte) (int, error) { c.cancel(); clear(p); return len(p), nil }
