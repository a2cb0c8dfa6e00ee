// Package ociimage makes OCI images of what engines give that write none themselves.
package ociimage

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Base is what an image stands on.
type Base struct {
	// Layers are the diff IDs of its layers.
	Layers []v1.Hash
	// AsStored takes the blobs of its layers as they are, for engines that keep them; else they are compressed again.
	AsStored bool
}

// LayersOf are the diff IDs of layers.
func LayersOf(layers []v1.Layer) ([]v1.Hash, error) {
	ids := make([]v1.Hash, len(layers))
	for i, l := range layers {
		var err error
		if ids[i], err = l.DiffID(); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// Convert makes an OCI image with compressed layers of one that stands on base. The base's layers stay as they are, since
// they say what the image stands on; in all others, no time is later than created.
func Convert(img v1.Image, base Base, created time.Time) (v1.Image, error) {
	if created.IsZero() {
		created = time.Unix(0, 0).UTC()
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	if len(layers) < len(base.Layers) {
		return nil, fmt.Errorf("the image has %d layers, its base %d", len(layers), len(base.Layers))
	}
	for i, layer := range layers {
		open := func() (io.ReadCloser, error) { return clamped(layer, created) }
		if i < len(base.Layers) {
			if err := sameLayer(layer, base.Layers[i]); err != nil {
				return nil, fmt.Errorf("layer %d of the base: %w", i, err)
			}
			if base.AsStored {
				continue
			}
			open = layer.Uncompressed
		}
		layers[i], err = tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.DefaultCompression))
		if err != nil {
			return nil, err
		}
	}
	config = config.DeepCopy()
	config.Created = v1.Time{Time: created}
	for i, h := range config.History {
		if h.Created.After(created) {
			config.History[i].Created = v1.Time{Time: created}
		}
	}
	config.RootFS.DiffIDs = nil
	history := config.History
	config.History = nil

	out := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if out, err = mutate.ConfigFile(out, config); err != nil {
		return nil, err
	}
	if out, err = mutate.AppendLayers(out, layers...); err != nil {
		return nil, err
	}
	if config, err = out.ConfigFile(); err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.History = history
	return mutate.ConfigFile(out, config)
}

// sameLayer checks that the engine built on what it was told to.
func sameLayer(layer v1.Layer, want v1.Hash) error {
	got, err := layer.DiffID()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("the engine built on %s, in the registry it is %s", got, want)
	}
	return nil
}

// clamped is a layer's content with no time later than limit.
func clamped(layer v1.Layer, limit time.Time) (io.ReadCloser, error) {
	content, err := layer.Uncompressed()
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() {
		err := clamp(tar.NewWriter(w), tar.NewReader(content), limit)
		w.CloseWithError(errors.Join(err, content.Close()))
	}()
	return r, nil
}

func clamp(w *tar.Writer, r *tar.Reader, limit time.Time) error {
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return w.Close()
		}
		if err != nil {
			return err
		}
		for _, at := range []*time.Time{&h.ModTime, &h.AccessTime, &h.ChangeTime} {
			if at.After(limit) {
				*at = limit
			}
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
	}
}

// Index is an index of images, in their order, with the platforms of their configs.
func Index(images ...v1.Image) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, img := range images {
		config, err := img.ConfigFile()
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: config.Platform()}})
	}
	return index, nil
}
