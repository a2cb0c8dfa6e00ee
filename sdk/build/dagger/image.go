package dagger

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/platforms"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/ociimage"
)

// image is what the engine exported for a platform, compared with what was planned and with what the engine left out.
func (r *request) image(dir, platform string) (v1.Image, error) {
	img, err := exported(dir)
	if err != nil {
		return nil, fmt.Errorf("the image that the engine wrote: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	want, err := platforms.Parse(platform)
	if err != nil {
		return nil, err
	}
	if config.OS != want.OS || config.Architecture != want.Architecture {
		return nil, fmt.Errorf("the engine built for %s/%s, not for %s", config.OS, config.Architecture, platform)
	}
	base := ociimage.Base{AsStored: true}
	config = config.DeepCopy()
	config.Variant = want.Variant
	if on := r.bases[platform]; on != nil {
		base.Layers = on.RootFS.DiffIDs
		config.Variant, config.OSVersion, config.OSFeatures = on.Variant, on.OSVersion, on.OSFeatures
	}
	if config.History, err = r.history(img, platform); err != nil {
		return nil, err
	}
	if len(r.Labels) > 0 && config.Config.Labels == nil {
		config.Config.Labels = map[string]string{}
	}
	maps.Copy(config.Config.Labels, r.Labels)
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return nil, err
	}
	return ociimage.Convert(img, base, r.Created)
}

// history is the base's, and an entry for each layer above it: whoever tells by it which layers are the image's own is
// misled by one that is missing.
func (r *request) history(img v1.Image, platform string) ([]v1.History, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	var history []v1.History
	covered := 0
	if on := r.bases[platform]; on != nil {
		history = append(history, on.History...)
		for _, h := range on.History {
			if !h.EmptyLayer {
				covered++
			}
		}
	}
	for ; covered < len(layers); covered++ {
		history = append(history, v1.History{Created: v1.Time{Time: r.Created}, CreatedBy: r.Name, Comment: "dagger"})
	}
	return history, nil
}

// exported reads the one image of a layout.
func exported(dir string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	for { // an engine may wrap one index into another
		manifest, err := index.IndexManifest()
		if err != nil {
			return nil, err
		}
		if len(manifest.Manifests) != 1 {
			return nil, fmt.Errorf("it has %d manifests, not one", len(manifest.Manifests))
		}
		first := manifest.Manifests[0]
		if !first.MediaType.IsIndex() {
			return index.Image(first.Digest)
		}
		if index, err = index.ImageIndex(first.Digest); err != nil {
			return nil, err
		}
	}
}

// untar unpacks a layout: regular files with plain names, nothing else.
func untar(name, dir string) (err error) {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for r := tar.NewReader(file); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return os.Remove(name)
		}
		if err != nil {
			return err
		}
		path := strings.TrimSuffix(h.Name, "/")
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(path, 0o755)
		case tar.TypeReg:
			err = unpack(root, path, r)
		default:
			err = fmt.Errorf("%s: neither a file nor a directory", h.Name)
		}
		if err != nil {
			return err
		}
	}
}

func unpack(root *os.Root, path string, r io.Reader) error {
	if dir := filepath.Dir(path); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	f, err := root.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
