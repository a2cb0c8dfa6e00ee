package registry

import (
	"context"
	"errors"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Content is what a reference names: an image or an index, exactly one of which is set.
type Content struct {
	// Descriptor has digest, size and media type.
	Descriptor v1.Descriptor
	// Manifest is the text that the digest is of.
	Manifest []byte
	// Image or Index read what is below when they are asked for, as with [Client.Image].
	Image v1.Image
	Index v1.ImageIndex
}

// Get returns what a reference names, with one request. A manifest that is neither an image nor an index, such as one of
// Docker's schema 1, is an error that wraps [ErrInvalid].
func (c *Client) Get(ctx context.Context, ref string) (*Content, error) {
	const op = "read"
	r, err := c.parse(op, ref)
	if err != nil {
		return nil, err
	}
	var content *Content
	err = c.read(ctx, op, ref, r.Context(), func(p *remote.Puller) error {
		var err error
		content, err = get(ctx, p, r)
		return err
	})
	return content, err
}

func get(ctx context.Context, p *remote.Puller, ref name.Reference) (*Content, error) {
	desc, err := p.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	content := &Content{Descriptor: desc.Descriptor, Manifest: desc.Manifest}
	switch {
	case desc.MediaType.IsIndex():
		content.Index, err = desc.ImageIndex()
	case desc.MediaType.IsImage():
		content.Image, err = desc.Image()
	default:
		err = &Error{
			Op: "read", Ref: ref.String(), Kind: ErrInvalid, Help: "push the image again with a current tool",
			Err: errors.New("it is of type " + string(desc.MediaType) + ", neither an image nor an index"),
		}
	}
	return content, err
}

// Blob returns a small blob of a repository, such as an image's config, checked against its descriptor. It must not be
// larger than a manifest ([Options.MaxManifestBytes]).
func (c *Client) Blob(ctx context.Context, repository string, desc v1.Descriptor) ([]byte, error) {
	const op = "read"
	repo, err := c.parseRepository(op, repository)
	if err != nil {
		return nil, err
	}
	var data []byte
	err = c.read(ctx, op, repository+"@"+desc.Digest.String(), repo, func(p *remote.Puller) error {
		if desc.Size < 0 || desc.Size > c.opts.MaxManifestBytes {
			return &tooLargeError{limit: c.opts.MaxManifestBytes}
		}
		var err error
		data, err = content(ctx, p, repo, desc)
		return err
	})
	return data, err
}

// Layer returns a layer of a repository. Nothing is asked until it is read; then it is read until ctx ends and checked
// against its digest.
func (c *Client) Layer(ctx context.Context, repository string, desc v1.Descriptor) (v1.Layer, error) {
	const op = "read"
	repo, err := c.parseRepository(op, repository)
	if err != nil {
		return nil, err
	}
	var layer v1.Layer
	err = c.read(ctx, op, repository+"@"+desc.Digest.String(), repo, func(p *remote.Puller) error {
		var err error
		layer, err = p.Layer(ctx, repo.Digest(desc.Digest.String()))
		return err
	})
	return layer, err
}
