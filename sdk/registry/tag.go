package registry

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Tag sets tags on what a reference with a digest names, in order. If setting one fails, the error says which were set
// before.
func (c *Client) Tag(ctx context.Context, ref string, tags []string) error {
	const op = "tag"
	digest, err := c.parseDigest(op, ref)
	if err != nil {
		return err
	}
	repo := digest.Context()
	parsed, err := parseTags(repo, tags)
	if err != nil {
		return &Error{Op: op, Ref: ref, Kind: ErrInvalid, Err: err}
	}
	m, err := c.Manifest(ctx, ref)
	if err != nil {
		return err
	}
	pusher, err := remote.NewPusher(c.remoteOptions(c.opts.Jobs)...)
	if err != nil {
		return err
	}
	for i, tag := range parsed {
		manifest := &artifactManifest{raw: m.Raw, digest: m.Descriptor.Digest, mediaType: m.Descriptor.MediaType}
		if err := pusher.Put(ctx, tag, manifest); err != nil {
			err = c.fail(ctx, op, repo.Name()+":"+tag.TagStr(), repo, err)
			return fmt.Errorf("%w; %s is there%s", err, digest.DigestStr(), setBefore(parsed[:i]))
		}
	}
	return nil
}
