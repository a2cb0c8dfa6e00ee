package registry

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// Config reads the image config of a reference for a platform ("linux/amd64", "linux/arm/v7"). Among the manifests of an
// index it takes the one that BuildKit and containerd would. A reference that names a single manifest gives that one,
// whatever its platform: compare ImageConfig.Platform. Everything is checked against its digest.
func (c *Client) Config(ctx context.Context, ref, platform string) (catalog.ImageConfig, error) {
	got := catalog.ImageConfig{Ref: ref}
	err := c.manifest(ctx, ref, platform, func(named, manifest *remote.Descriptor) error {
		img, err := manifest.Image()
		if err != nil {
			return err
		}
		m, err := img.Manifest()
		if err != nil {
			return err
		}
		if m.Config.Size > c.opts.MaxManifestBytes {
			return &tooLargeError{limit: c.opts.MaxManifestBytes}
		}
		if got.Config, err = img.RawConfigFile(); err != nil {
			return err
		}
		config, err := v1.ParseConfigFile(bytes.NewReader(got.Config))
		if err != nil {
			return fmt.Errorf("config %s: %w", m.Config.Digest, err)
		}
		got.Digest, got.Manifest = named.Digest.String(), manifest.Digest.String()
		got.Platform = platforms.Format(platforms.Normalize(toOCI(*config.Platform())))
		return nil
	})
	if err != nil {
		return catalog.ImageConfig{}, err
	}
	return got, nil
}

// manifest reads what a reference names and, when that is an index, the platform's manifest.
func (c *Client) manifest(ctx context.Context, ref, platform string, use func(named, manifest *remote.Descriptor) error) error {
	const op = "read"
	r, err := c.parse(op, ref)
	if err != nil {
		return err
	}
	want, err := platforms.Parse(platform)
	if err != nil {
		return &Error{Op: op, Ref: ref, Help: `write the platform as "linux/amd64"`, Err: err}
	}
	return c.read(ctx, op, ref, r.Context(), func(p *remote.Puller) error {
		named, err := p.Get(ctx, r)
		if err != nil {
			return err
		}
		manifest, err := descend(ctx, p, r.Context(), named, want)
		if missing, ok := errors.AsType[*platformError](err); ok {
			return &Error{Op: op, Ref: ref, Kind: ErrNotFound, Help: missing.help(), Err: missing}
		}
		if err != nil {
			return err
		}
		return use(named, manifest)
	})
}

// maxDepth limits indexes within indexes.
const maxDepth = 4

// descend follows indexes down to the platform's manifest.
func descend(ctx context.Context, p *remote.Puller, repo name.Repository, desc *remote.Descriptor, want ocispec.Platform) (*remote.Descriptor, error) {
	for range maxDepth {
		if !desc.MediaType.IsIndex() {
			return desc, nil
		}
		idx, err := desc.ImageIndex()
		if err != nil {
			return nil, err
		}
		list, err := idx.IndexManifest()
		if err != nil {
			return nil, err
		}
		child, err := choose(list.Manifests, want)
		if err != nil {
			return nil, err
		}
		if desc, err = p.Get(ctx, repo.Digest(child.Digest.String())); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("more than %d image indexes within each other", maxDepth)
}

// choose returns the manifest for a platform as BuildKit does: an exact match first, then what the platform can run too
// (an older variant of its architecture), then what names no platform.
func choose(manifests []v1.Descriptor, want ocispec.Platform) (v1.Descriptor, error) {
	matcher := platforms.Only(want)
	var fit []v1.Descriptor
	missing := &platformError{want: platforms.Format(want)}
	for _, m := range manifests {
		switch {
		case !m.MediaType.IsImage() && !m.MediaType.IsIndex():
		case m.Platform == nil || matcher.Match(toOCI(*m.Platform)):
			fit = append(fit, m)
		case m.Platform.OS != "unknown": // which is what attestations have
			missing.have = append(missing.have, platforms.Format(toOCI(*m.Platform)))
		}
	}
	if len(fit) == 0 {
		return v1.Descriptor{}, missing
	}
	slices.SortStableFunc(fit, func(a, b v1.Descriptor) int {
		switch {
		case a.Platform == nil || b.Platform == nil:
			return cmp.Compare(rank(a.Platform == nil), rank(b.Platform == nil))
		case matcher.Less(toOCI(*a.Platform), toOCI(*b.Platform)):
			return -1
		}
		return rank(matcher.Less(toOCI(*b.Platform), toOCI(*a.Platform)))
	})
	return fit[0], nil
}

func rank(later bool) int {
	if later {
		return 1
	}
	return 0
}

// platformError says that an index has no image for a platform.
type platformError struct {
	want string
	have []string
}

func (e *platformError) Error() string { return "the image index has no image for " + e.want }

func (e *platformError) help() string {
	if len(e.have) == 0 {
		return "it names no platform at all"
	}
	return "it has " + strings.Join(e.have, ", ")
}

func toOCI(p v1.Platform) ocispec.Platform {
	return ocispec.Platform{
		OS: p.OS, Architecture: p.Architecture, Variant: p.Variant,
		OSVersion: p.OSVersion, OSFeatures: p.OSFeatures,
	}
}
