//go:build linux

package embedded

import (
	"context"
	"io"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/diff"
	"github.com/containerd/containerd/v2/core/diff/apply"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/pkg/archive"
	"github.com/containerd/containerd/v2/pkg/archive/compression"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/plimsoll-dev/plimsoll/internal/container"
)

// newApplier returns what unpacks layers.
func newApplier(store content.Provider) diff.Applier {
	if container.SingleID() {
		return ownerlessApplier{store}
	}
	return apply.NewFileSystemApplier(store)
}

// ownerlessApplier unpacks layers where there is one owner only, and every other would be an error. The layers
// themselves stay as they are, so an image still has its base's owners; steps see root's files only.
type ownerlessApplier struct{ store content.Provider }

// Apply unpacks one layer and returns the descriptor of its uncompressed content.
func (a ownerlessApplier) Apply(ctx context.Context, desc ocispec.Descriptor, mounts []mount.Mount, _ ...diff.ApplyOpt) (ocispec.Descriptor, error) {
	blob, err := a.store.ReaderAt(ctx, desc)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	defer blob.Close()
	layer, err := compression.DecompressStream(content.NewReader(blob))
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	defer layer.Close()
	digester, counter := digest.Canonical.Digester(), &counter{}
	r := io.TeeReader(layer, io.MultiWriter(digester.Hash(), counter))
	err = mount.WithTempMount(ctx, mounts, func(root string) error {
		if _, err := archive.Apply(ctx, root, r, archive.WithNoSameOwner()); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, r) // what follows the end of the tar counts, too
		return err
	})
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Size: counter.n, Digest: digester.Digest()}, nil
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
