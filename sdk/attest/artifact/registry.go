package artifact

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

type (
	// Pusher is what is needed of a registry to push; *registry.Client is one.
	Pusher interface {
		PushArtifact(ctx context.Context, repository string, a registry.Artifact, opts registry.PushOptions) (name.Digest, error)
	}
	// Puller is what is needed of a registry to pull; *registry.Client is one.
	Puller interface {
		Artifact(ctx context.Context, ref string, limit int64) (*registry.Artifact, error)
	}
)

const defaultMaxBytes = 64 << 20

// Push uploads a signed document and sets its tags when all of it is there. It returns the reference by digest.
func Push(ctx context.Context, to Pusher, repository string, s *Signed, opts registry.PushOptions) (name.Digest, error) {
	o, err := s.opened()
	if err != nil {
		return name.Digest{}, fmt.Errorf("%s: %w", repository, err)
	}
	return to.PushArtifact(ctx, repository, registry.Artifact{
		Type: o.MediaType,
		Blobs: []registry.Blob{
			{MediaType: o.MediaType, Data: s.Data, Embed: true},
			{MediaType: attest.BundleMediaType, Data: s.Bundle.Bytes(), Embed: true},
		},
		Annotations: map[string]string{
			"org.opencontainers.image.title":   o.Name,
			"org.opencontainers.image.version": fmt.Sprint(o.Version),
		},
	}, opts)
}

// Pull reads the document that a reference names, by tag or by digest, and opens it: see [Signed.Open].
func Pull(ctx context.Context, from Puller, ref string, want Want) (*Opened, error) {
	if err := want.check(); err != nil {
		return nil, err
	}
	a, s, err := fetch(ctx, from, ref, want.MaxBytes)
	if err != nil {
		return nil, err
	}
	if a.Type != want.Kind.MediaType {
		return nil, fmt.Errorf("%s: %w: it is a %q, wanted is a %s", ref, ErrKind, a.Type, want.Kind.MediaType)
	}
	o, err := s.Open(ctx, want)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	o.Manifest = a.Descriptor.Digest
	return o, nil
}

// Fetch reads what a reference names without verifying it, to be kept and opened later. Max is the limit in bytes; 0 means
// 64 MiB.
func Fetch(ctx context.Context, from Puller, ref string, maxBytes int64) (*Signed, error) {
	_, s, err := fetch(ctx, from, ref, maxBytes)
	return s, err
}

func fetch(ctx context.Context, from Puller, ref string, maxBytes int64) (*registry.Artifact, *Signed, error) {
	if maxBytes <= 0 {
		maxBytes = defaultMaxBytes
	}
	a, err := from.Artifact(ctx, ref, maxBytes)
	if err != nil {
		return nil, nil, err
	}
	if len(a.Blobs) != 2 || a.Blobs[1].MediaType != attest.BundleMediaType {
		return nil, nil, fmt.Errorf("%s: %w: it is a %q, and not a document with its signature", ref, attest.ErrMalformed, a.Type)
	}
	bundle, err := attest.ParseBundle(a.Blobs[1].Data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", ref, err)
	}
	return a, &Signed{Data: a.Blobs[0].Data, Bundle: bundle}, nil
}
