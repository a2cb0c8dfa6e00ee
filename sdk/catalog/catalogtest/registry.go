package catalogtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// Registry is a made-up registry: a [catalog.Facts] in memory that knows configs, packages and signatures too. Its keys
// are full references with a tag, "docker.io/library/debian:12". It is safe for concurrent use once it is filled.
type Registry struct {
	Images map[string]Image
	// Everything says that every other reference exists too, as an image of its own.
	Everything bool
	// Err is returned for every question, as by a registry that is down.
	Err error

	mu    sync.Mutex
	asked []string
}

// Image is what a tag means. The zero value is useful.
type Image struct {
	// Digest of the index. Default: [Digest] of the reference.
	Digest string
	// Manifests are the digests of single platforms. Default: Digest.
	Manifests map[string]string
	// Created is what the config says. Default: 2026-01-01.
	Created time.Time
	// Packages that it carries, whatever their version.
	Packages []string
	// Keys that signed it.
	Keys []string
	// OnBuild are its triggers.
	OnBuild []string
}

// Digest makes up a digest from a text.
func Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Tags makes a registry that has these references, each an image of its own.
func Tags(refs ...string) *Registry {
	r := &Registry{Images: map[string]Image{}}
	for _, ref := range refs {
		r.Images[ref] = Image{}
	}
	return r
}

// Asked returns the questions so far, in order: "resolve docker.io/library/debian:12".
func (r *Registry) Asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

func (r *Registry) ask(ctx context.Context, question string) error {
	r.mu.Lock()
	r.asked = append(r.asked, question)
	r.mu.Unlock()
	if r.Err != nil {
		return r.Err
	}
	return ctx.Err()
}

// Resolve implements [catalog.Facts].
func (r *Registry) Resolve(ctx context.Context, ref string) (string, error) {
	if err := r.ask(ctx, "resolve "+ref); err != nil {
		return "", err
	}
	image, ok := r.Images[ref]
	if !ok && !r.Everything {
		return "", fmt.Errorf("%s: not found", ref)
	}
	return image.digest(ref), nil
}

func (i Image) digest(ref string) string {
	if i.Digest != "" {
		return i.Digest
	}
	return Digest(ref)
}

// Tags implements [catalog.Facts].
func (r *Registry) Tags(ctx context.Context, repository string) ([]string, error) {
	if err := r.ask(ctx, "tags "+repository); err != nil {
		return nil, err
	}
	var tags []string
	for ref := range r.Images {
		if tag, ok := strings.CutPrefix(ref, repository+":"); ok {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return tags, nil
}

// find looks an image up by tag or by digest.
func (r *Registry) find(ctx context.Context, question, ref string) (Image, error) {
	if err := r.ask(ctx, question+" "+ref); err != nil {
		return Image{}, err
	}
	tagged, digest, pinned := strings.Cut(ref, "@")
	repository := tagged
	if i := strings.LastIndexByte(tagged, ':'); i > strings.LastIndexByte(tagged, '/') {
		repository = tagged[:i]
	}
	for name, image := range r.Images {
		if pinned && strings.HasPrefix(name, repository+":") && image.digest(name) == digest || name == ref {
			image.Digest = image.digest(name)
			return image, nil
		}
	}
	if r.Everything {
		if !pinned {
			digest = Digest(ref)
		}
		return Image{Digest: digest}, nil
	}
	return Image{}, fmt.Errorf("%s: not found", ref)
}

// Config implements [catalog.ConfigFacts].
func (r *Registry) Config(ctx context.Context, ref, platform string) (catalog.ImageConfig, error) {
	image, err := r.find(ctx, "config", ref)
	if err != nil {
		return catalog.ImageConfig{}, err
	}
	created := image.Created
	if created.IsZero() {
		created = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	os, arch, _ := strings.Cut(platform, "/")
	arch, variant, _ := strings.Cut(arch, "/")
	config, err := json.Marshal(map[string]any{
		"created": created, "os": os, "architecture": arch, "variant": variant,
		"config": map[string]any{"OnBuild": image.OnBuild},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{image.Digest}}, // no layers would be no image to BuildKit
	})
	if err != nil {
		return catalog.ImageConfig{}, err
	}
	manifest, ok := image.Manifests[platform]
	if !ok {
		manifest = image.Digest
	}
	return catalog.ImageConfig{Ref: ref, Digest: image.Digest, Manifest: manifest, Platform: platform, Config: config}, nil
}

// Carries implements [catalog.PackageFacts].
func (r *Registry) Carries(ctx context.Context, ref, _ string, pkg catalog.Package) (bool, error) {
	image, err := r.find(ctx, "packages", ref)
	return slices.Contains(image.Packages, pkg.Name), err
}

// Signed implements [catalog.SignatureFacts].
func (r *Registry) Signed(ctx context.Context, ref, key string) (bool, error) {
	image, err := r.find(ctx, "signature", ref)
	return slices.Contains(image.Keys, key), err
}
