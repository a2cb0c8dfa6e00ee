// Package remote says what an image reference means to its registry, with all the digests that a gate looks at: index,
// manifest, config, layers.
//
//	image, pinned, err := remote.Resolver{Client: client, Platform: "linux/amd64"}.Resolve(ctx, "registry.example/pay:1.4", "")
package remote

import (
	"bytes"
	"context"
	"fmt"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// Client is what is needed of a registry; *registry.Client has it.
type Client interface {
	Config(ctx context.Context, ref, platform string) (catalog.ImageConfig, error)
}

// Resolver resolves references. It is safe for concurrent use.
type Resolver struct {
	Client Client
	// Platform is that of images when none is asked for. Default: Linux on this program's architecture.
	Platform string
}

// Resolve returns the image that a reference means now on a platform, and a reference to the same by digest.
func (r Resolver) Resolve(ctx context.Context, ref, platform string) (admission.Image, string, error) {
	if platform == "" {
		platform = r.Platform
	}
	if platform == "" {
		platform = "linux/" + runtime.GOARCH
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return admission.Image{}, "", fmt.Errorf("%.200q is not an image reference: %w", ref, err)
	}
	got, err := r.Client.Config(ctx, ref, platform)
	if err != nil {
		return admission.Image{}, "", err
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(got.Config))
	if err != nil {
		return admission.Image{}, "", fmt.Errorf("%s: its config: %w", ref, err)
	}
	id, _, err := v1.SHA256(bytes.NewReader(got.Config))
	if err != nil {
		return admission.Image{}, "", err
	}
	image := admission.Image{Ref: ref, Digests: []string{got.Manifest, id.String()}}
	if got.Digest != got.Manifest {
		image.Indexes = []string{got.Digest}
	}
	for _, layer := range config.RootFS.DiffIDs {
		image.Layers = append(image.Layers, layer.String())
	}
	return image, parsed.Context().Digest(got.Digest).String(), nil
}
