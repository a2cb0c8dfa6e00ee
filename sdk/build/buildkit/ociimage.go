package buildkit

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	oci "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// toOCI makes an OCI image with compressed layers of one in Docker's format that stands on base. The base's layers
// stay as they are, since they say what the image stands on; in all others, no time is later than created.
func toOCI(img v1.Image, base []v1.Layer, created time.Time) (v1.Image, error) {
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
	if len(layers) < len(base) {
		return nil, fmt.Errorf("the image has %d layers, its base %d", len(layers), len(base))
	}
	for i, layer := range layers {
		open := func() (io.ReadCloser, error) { return clamped(layer, created) }
		if i < len(base) {
			if err := sameLayer(layer, base[i]); err != nil {
				return nil, fmt.Errorf("layer %d of the base: %w", i, err)
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

// sameLayer checks that Docker built on what it was told to.
func sameLayer(got, want v1.Layer) error {
	gotID, err := got.DiffID()
	if err != nil {
		return err
	}
	wantID, err := want.DiffID()
	if err != nil {
		return err
	}
	if gotID != wantID {
		return fmt.Errorf("docker built on %s, in the registry it is %s", gotID, wantID)
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

// writeLayout writes a layout with an index of the one image.
func writeLayout(dir string, img v1.Image) error {
	config, err := img.ConfigFile()
	if err != nil {
		return err
	}
	index := mutate.AppendManifests(
		mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: config.Platform()}},
	)
	_, err = oci.Write(dir, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: index}))
	return err
}
