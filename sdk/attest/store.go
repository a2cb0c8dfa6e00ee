package attest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// Registry is what a [Store] needs; *registry.Client is one.
type Registry interface {
	Manifest(ctx context.Context, ref string) (*registry.Manifest, error)
	Referrers(ctx context.Context, ref string) ([]v1.Descriptor, error)
	Artifact(ctx context.Context, ref string, limit int64) (*registry.Artifact, error)
	PushArtifact(ctx context.Context, repository string, a registry.Artifact, opts registry.PushOptions) (name.Digest, error)
}

// Store keeps evidence in the registry of the image, as referrers in sigstore's bundle format
// (https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md). It is a [Source], and safe for concurrent use.
type Store struct {
	registry Registry
	opts     StoreOptions
}

var _ Source = (*Store)(nil)

// StoreOptions are the choices of a store. The zero value does for cosign 3, and for all that reads the referrers API.
type StoreOptions struct {
	// Tags writes attestations a second time, under the tag sha256-<digest>.att, where cosign before version 3 and
	// what was built on it look for them.
	Tags bool
}

// NewStore keeps evidence in a registry.
func NewStore(client Registry, opts StoreOptions) *Store { return &Store{registry: client, opts: opts} }

// The annotations of a referrer that is a bundle, by cosign's specification.
const (
	annotationContent   = "dev.sigstore.bundle.content"
	annotationPredicate = "dev.sigstore.bundle.predicateType"
)

const (
	maxBundles = 100 // about one digest
	parallel   = 8
)

// Image implements [Source]. An index within an index is an error: what is in it could not be shown to be covered.
func (s *Store) Image(ctx context.Context, ref string) (*Image, error) {
	m, err := s.registry.Manifest(ctx, ref)
	if err != nil {
		return nil, err
	}
	image := &Image{Repository: m.Repository, Digest: m.Descriptor.Digest}
	if !m.Descriptor.MediaType.IsIndex() {
		return image, nil
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(m.Raw))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: index: %w", image.Reference(), ErrMalformed, err)
	}
	for _, child := range index.Manifests {
		switch {
		case child.MediaType.IsIndex():
			return nil, fmt.Errorf("%s: %w: it has another index in it, %s: publish its platforms in one index", image.Reference(), ErrMalformed, child.Digest)
		case attestation(child):
			continue
		}
		platform := ""
		if child.Platform != nil {
			platform = child.Platform.String()
		}
		image.Manifests = append(image.Manifests, Manifest{Platform: platform, Digest: child.Digest})
	}
	return image, nil
}

// attestation says whether a manifest of an index is BuildKit's unsigned attestation, which no machine runs.
func attestation(child v1.Descriptor) bool {
	return child.Annotations["vnd.docker.reference.type"] == "attestation-manifest" &&
		child.Platform != nil && child.Platform.OS == "unknown" && child.Platform.Architecture == "unknown"
}

// Bundles implements [Source]. It asks what refers to the image, and to a platform's manifest only if what refers to the
// image says nothing about it.
func (s *Store) Bundles(ctx context.Context, image *Image, predicateTypes []string) ([]*Bundle, error) {
	bundles, err := s.bundles(ctx, image, image.Digest, predicateTypes)
	if err != nil {
		return nil, err
	}
	alone := make([][]*Bundle, len(image.Manifests))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, m := range image.Manifests {
		if covered(bundles, m.Digest, predicateTypes) {
			continue
		}
		group.Go(func() (err error) {
			alone[i], err = s.bundles(ctx, image, m.Digest, predicateTypes)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return append(bundles, slices.Concat(alone...)...), nil
}

// covered says whether bundles have statements of all types about a digest.
func covered(bundles []*Bundle, digest v1.Hash, predicateTypes []string) bool {
	for _, want := range predicateTypes {
		if !slices.ContainsFunc(bundles, func(b *Bundle) bool {
			s, err := b.UnverifiedStatement()
			return err == nil && s.PredicateType == want && s.About(digest)
		}) {
			return false
		}
	}
	return true
}

// bundles reads the bundles that refer to a digest.
func (s *Store) bundles(ctx context.Context, image *Image, digest v1.Hash, predicateTypes []string) ([]*Bundle, error) {
	subject := image.Repository + "@" + digest.String()
	list, err := s.registry.Referrers(ctx, subject)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(d v1.Descriptor) bool { return !promising(d, predicateTypes) })
	if len(list) > maxBundles {
		return nil, fmt.Errorf("%s: more than %d statements about it: remove those that are out of date", subject, maxBundles)
	}
	found := make([]*Bundle, len(list))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, d := range list {
		group.Go(func() (err error) {
			found[i], err = s.bundle(ctx, image.Repository, d, digest)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(b *Bundle) bool { return b == nil }), nil
}

// promising says whether a referrer may be a bundle with one of the predicate types, by what the list says. Some registries
// give the type of the (empty) config for that of the artifact, or none; then only reading it can tell.
func promising(d v1.Descriptor, predicateTypes []string) bool {
	if kind, ok := d.Annotations[annotationPredicate]; ok && !slices.Contains(predicateTypes, kind) {
		return false
	}
	switch {
	case d.MediaType.IsIndex():
		return false
	case d.ArtifactType == "", d.ArtifactType == "application/vnd.oci.empty.v1+json":
		return d.Platform == nil // what has a platform is an image
	}
	return strings.HasPrefix(d.ArtifactType, "application/vnd.dev.sigstore.bundle")
}

// bundle reads one referrer; nil when it turns out to be something else, or to be about another digest. What can't be read
// is an error: it may be what forbids the image.
func (s *Store) bundle(ctx context.Context, repository string, d v1.Descriptor, subject v1.Hash) (*Bundle, error) {
	ref := repository + "@" + d.Digest.String()
	a, err := s.registry.Artifact(ctx, ref, MaxBundleBytes)
	if err != nil {
		return nil, err
	}
	if a.Subject == nil || a.Subject.Digest != subject || len(a.Blobs) != 1 ||
		!strings.HasPrefix(a.Blobs[0].MediaType, "application/vnd.dev.sigstore.bundle") {
		return nil, nil
	}
	b, err := ParseBundle(a.Blobs[0].Data)
	if errors.Is(err, ErrMalformed) { // a signature of cosign's without an envelope, or nonsense: neither says anything
		return nil, nil
	}
	return b, err
}
