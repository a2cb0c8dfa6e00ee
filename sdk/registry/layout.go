package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// LoadLayout opens the OCI layout in a directory and returns its image index: the one that index.json names, or
// index.json itself if it lists images. Blobs are read when they are asked for, so the directory must stay.
func LoadLayout(dir string) (v1.ImageIndex, error) {
	path, err := layout.FromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("%s is not an OCI layout: %w", dir, err)
	}
	top, err := path.ImageIndex()
	if err != nil {
		return nil, fmt.Errorf("%s: index.json: %w", dir, err)
	}
	list, err := top.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("%s: index.json: %w", dir, err)
	}
	if len(list.Manifests) == 1 && list.Manifests[0].MediaType.IsIndex() {
		idx, err := top.ImageIndex(list.Manifests[0].Digest)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		return idx, nil
	}
	return top, nil
}

// SaveLayout writes an index and all that it refers to as an OCI layout, for [LoadLayout] to read back. The directory must
// not exist or be empty; it is complete or untouched afterwards. Manifests are checked against the digests that the index
// lists; layers from a registry check themselves.
func SaveLayout(dir string, idx v1.ImageIndex) error {
	if _, err := collect(idx, 0); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	entries, err := os.ReadDir(dir)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty: name a new directory", dir)
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(dir)), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".layout-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := saveLayout(temp, idx); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	// A rename replaces an empty directory, and nothing else.
	return os.Rename(temp, dir)
}

func saveLayout(dir string, idx v1.ImageIndex) error {
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	return path.AppendIndex(idx)
}
