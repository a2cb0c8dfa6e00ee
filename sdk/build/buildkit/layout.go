package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	oci "github.com/google/go-containerregistry/pkg/v1/layout"
)

// layout is an OCI layout in the making: a directory beside the one it becomes.
type layout struct {
	dir, final string
	committed  bool
}

// newLayout makes the directory. The caller discards it in any case.
func newLayout(final string) (*layout, error) {
	if final == "" {
		return nil, errors.New("the request has no directory for the layout")
	}
	final, err := filepath.Abs(final)
	if err != nil {
		return nil, err
	}
	switch entries, err := os.ReadDir(final); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case len(entries) > 0:
		return nil, fmt.Errorf("%s: is not empty: a layout is written to a directory that is empty or not there", final)
	}
	parent := filepath.Dir(final)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "."+filepath.Base(final)+"-*")
	if err != nil {
		return nil, err
	}
	return &layout{dir: dir, final: final}, nil
}

// commit moves the layout to its place and returns the image index in it.
func (l *layout) commit(ctx context.Context) (v1.ImageIndex, v1.Hash, error) {
	if err := ctx.Err(); err != nil {
		return nil, v1.Hash{}, err
	}
	// What the content store leaves beside the blobs.
	if err := os.RemoveAll(filepath.Join(l.dir, "ingest")); err != nil {
		return nil, v1.Hash{}, err
	}
	if _, _, err := readIndex(l.dir); err != nil {
		return nil, v1.Hash{}, err
	}
	if err := os.Chmod(l.dir, 0o755); err != nil {
		return nil, v1.Hash{}, err
	}
	// A directory can be renamed to a name that is free only; newLayout saw that it is free or empty.
	if err := os.Remove(l.final); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, v1.Hash{}, err
	}
	if err := os.Rename(l.dir, l.final); err != nil {
		return nil, v1.Hash{}, err
	}
	l.committed = true
	return readIndex(l.final)
}

// discard removes what was not committed.
func (l *layout) discard() {
	if !l.committed {
		_ = os.RemoveAll(l.dir)
	}
}

// readIndex reads the one image index that a layout's index.json names.
func readIndex(dir string) (v1.ImageIndex, v1.Hash, error) {
	top, err := oci.ImageIndexFromPath(dir)
	if err != nil {
		return nil, v1.Hash{}, err
	}
	manifest, err := top.IndexManifest()
	if err != nil {
		return nil, v1.Hash{}, err
	}
	if len(manifest.Manifests) != 1 || !manifest.Manifests[0].MediaType.IsIndex() {
		return nil, v1.Hash{}, fmt.Errorf("%s: the engine wrote a layout that does not have exactly one image index", dir)
	}
	digest := manifest.Manifests[0].Digest
	index, err := top.ImageIndex(digest)
	return index, digest, err
}
