package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

var _ catalog.Facts = (*Client)(nil)

const (
	maxTags      = 1 << 20
	maxTagsBytes = 16 << 20 // one page of a tag list
)

// Resolve returns the digest ("sha256:...") of the index or manifest that a reference names now. A reference that has a
// digest must exist too. The digest is the registry's word; whatever is read by it later is checked against it.
func (c *Client) Resolve(ctx context.Context, ref string) (string, error) {
	desc, err := c.head(ctx, "resolve", ref)
	if err != nil {
		return "", err
	}
	return desc.Digest.String(), nil
}

// Head returns digest, size and media type of what a reference names now. Nothing is downloaded.
func (c *Client) Head(ctx context.Context, ref string) (v1.Descriptor, error) {
	return c.head(ctx, "read", ref)
}

func (c *Client) head(ctx context.Context, op, ref string) (v1.Descriptor, error) {
	r, err := c.parse(op, ref)
	if err != nil {
		return v1.Descriptor{}, err
	}
	var desc *v1.Descriptor
	err = c.read(ctx, op, ref, r.Context(), func(p *remote.Puller) error {
		var err error
		desc, err = p.Head(ctx, r)
		if !poorHead(err) {
			return err
		}
		// Some registries leave out headers here: compute the digest from the content.
		got, err := p.Get(ctx, r)
		if err == nil {
			desc = &got.Descriptor
		}
		return err
	})
	if err != nil {
		return v1.Descriptor{}, err
	}
	return *desc, nil
}

// Tags lists all tags of a repository, in the registry's order. More than a million are an error.
func (c *Client) Tags(ctx context.Context, repository string) ([]string, error) {
	repo, err := c.parseRepository("tags", repository)
	if err != nil {
		return nil, err
	}
	var tags []string
	err = c.read(ctx, "tags", repository, repo, func(p *remote.Puller) error {
		tags = nil
		pages, err := p.Lister(ctx, repo)
		if err != nil {
			return err
		}
		for pages.HasNext() {
			page, err := pages.Next(ctx)
			if err != nil {
				return err
			}
			if tags = append(tags, page.Tags...); len(tags) > maxTags {
				return fmt.Errorf("more than %d tags", maxTags)
			}
		}
		return nil
	})
	return tags, err
}

// Image returns the image that a reference names for a platform ("linux/amd64"), or the only one if it names a single
// manifest. Its layers are read when they are asked for, until ctx ends, and are checked against their digests; errors
// of these later reads are go-containerregistry's. At most 128 layers of one client can be open at a time.
func (c *Client) Image(ctx context.Context, ref, platform string) (v1.Image, error) {
	var img v1.Image
	err := c.manifest(ctx, ref, platform, func(_, manifest *remote.Descriptor) error {
		var err error
		img, err = manifest.Image()
		return err
	})
	return img, err
}

// Index returns the image index that a reference names. Its images are read when they are asked for, as with
// [Client.Image]. A reference that names a single manifest is an error.
func (c *Client) Index(ctx context.Context, ref string) (v1.ImageIndex, error) {
	r, err := c.parse("read", ref)
	if err != nil {
		return nil, err
	}
	var idx v1.ImageIndex
	err = c.read(ctx, "read", ref, r.Context(), func(p *remote.Puller) error {
		desc, err := p.Get(ctx, r)
		if err != nil {
			return err
		}
		if !desc.MediaType.IsIndex() {
			return fmt.Errorf("%s is %s, not an image index", desc.Digest, desc.MediaType)
		}
		idx, err = desc.ImageIndex()
		return err
	})
	return idx, err
}

// read does one reading operation. Credentials that were refused are asked for once more: a keychain may have new ones.
func (c *Client) read(ctx context.Context, op, ref string, target authn.Resource, f func(*remote.Puller) error) error {
	puller := c.current()
	err := f(puller)
	for foreignCancel(ctx, err) {
		err = f(puller)
	}
	var terr *transport.Error
	if c.opts.Keychain != nil && errors.As(err, &terr) && refused(terr.StatusCode) {
		err = f(c.renew(puller))
	}
	return c.fail(ctx, op, ref, target, err)
}

// foreignCancel says that an operation ended because another caller's context did: go-containerregistry connects to a
// repository once for all who ask at the same time, with the context of the first.
func foreignCancel(ctx context.Context, err error) bool {
	return ctx.Err() == nil && !exhausted(err) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

// poorHead says that an answer to HEAD came and could not be used.
func poorHead(err error) bool {
	var (
		uerr *url.Error
		terr *transport.Error
	)
	if errors.As(err, &terr) {
		return terr.StatusCode == http.StatusMethodNotAllowed
	}
	return err != nil && !errors.As(err, &uerr)
}
