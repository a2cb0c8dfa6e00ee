package registry

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
)

// PushOptions are the wishes of one push. The zero value pushes by digest only.
type PushOptions struct {
	// Tags are set after everything else is in place, in order.
	Tags []string
	// Progress is told how many bytes of how many the registry has: one call at a time, from any goroutine. May be nil.
	Progress func(done, total int64)
}

// Push uploads an index with all that it refers to and returns its reference by digest. What the registry has already is
// not uploaded again, so a push that failed is resumed by pushing again.
//
// Tags are set only when the registry gives the index back by its digest: a tag never names something incomplete. If
// setting one fails, the error says which were set before.
func (c *Client) Push(ctx context.Context, repository string, idx v1.ImageIndex, opts PushOptions) (name.Digest, error) {
	const op = "push"
	repo, err := c.parseRepository(op, repository)
	if err != nil {
		return name.Digest{}, err
	}
	tags, err := parseTags(repo, opts.Tags)
	if err != nil {
		return name.Digest{}, &Error{Op: op, Ref: repository, Kind: ErrInvalid, Err: err}
	}
	layers, err := collect(idx, 0)
	if err != nil {
		return name.Digest{}, &Error{Op: op, Ref: repository, Kind: ErrInvalid, Help: "the image is damaged: build it again", Err: err}
	}
	digest, err := idx.Digest()
	if err != nil {
		return name.Digest{}, &Error{Op: op, Ref: repository, Kind: ErrInvalid, Err: err}
	}
	ref := repo.Digest(digest.String())
	// A pusher remembers what it uploaded; the registry may have dropped it by the next push.
	pusher, err := remote.NewPusher(c.remoteOptions(c.opts.Jobs)...)
	if err != nil {
		return name.Digest{}, err
	}
	if err := c.pushDigest(ctx, pusher, ref, idx, layers, opts.Progress); err != nil {
		return name.Digest{}, c.fail(ctx, op, repository, repo, err)
	}
	// The registry may have accepted it and not kept it.
	if _, err := c.head(ctx, "read back", ref.String()); err != nil {
		return name.Digest{}, err
	}
	for i, tag := range tags {
		if err := pusher.Put(ctx, tag, idx); err != nil {
			err = c.fail(ctx, "tag", repository+":"+tag.TagStr(), repo, err)
			return name.Digest{}, fmt.Errorf("%w; it is there as %s%s", err, digest, setBefore(tags[:i]))
		}
	}
	return ref, nil
}

func (c *Client) pushDigest(ctx context.Context, pusher *remote.Pusher, ref name.Digest, idx v1.ImageIndex, layers []v1.Layer, progress func(done, total int64)) error {
	meter, err := newMeter(layers, progress)
	if err != nil {
		return err
	}
	group, uploading := errgroup.WithContext(ctx)
	group.SetLimit(c.opts.Jobs)
	for _, layer := range layers {
		group.Go(func() error { return c.upload(uploading, pusher, ref.Context(), layer, meter) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return pusher.Push(ctx, ref, idx)
}

// upload starts over when one of its steps fails: a cut upload can't be continued with every registry. Of several uploads of
// the same blob the first sends it and the others find it there: distribution 2.8 loses sight of a blob while it is
// uploaded once more, and fails whoever reads it or refers to it meanwhile.
func (c *Client) upload(ctx context.Context, pusher *remote.Pusher, repo name.Repository, layer v1.Layer, m *meter) error {
	digest, err := layer.Digest()
	if err != nil {
		return err
	}
	done, err := c.uploads.take(ctx, repo.Name()+"@"+digest.String())
	if err != nil {
		return err
	}
	defer done()
	err = c.transport.retry(ctx, "upload "+digest.String(), func(int) error {
		return pusher.Upload(ctx, repo, m.watch(layer, digest))
	})
	if err == nil {
		m.complete(digest)
	}
	return err
}

// tagPattern is the distribution specification's.
var tagPattern = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

func parseTags(repo name.Repository, tags []string) ([]name.Tag, error) {
	var parsed []name.Tag
	for _, tag := range tags {
		if !tagPattern.MatchString(tag) {
			return nil, fmt.Errorf("%q is no tag: use up to 128 letters, digits, dots, dashes and underscores", shorten(tag, 128))
		}
		parsed = append(parsed, repo.Tag(tag))
	}
	return parsed, nil
}

func setBefore(tags []name.Tag) string {
	if len(tags) == 0 {
		return ", without a tag"
	}
	var names []string
	for _, t := range tags {
		names = append(names, t.TagStr())
	}
	return ", tagged " + strings.Join(names, ", ")
}

// collect returns the layers and configs below an index, each once, and checks that what the index lists is what is
// there: a damaged manifest would otherwise be pushed under another digest than the index says.
func collect(idx v1.ImageIndex, depth int) ([]v1.Layer, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d image indexes within each other", maxDepth)
	}
	list, err := idx.IndexManifest()
	if err != nil {
		return nil, err
	}
	children, err := partial.Manifests(idx)
	if err != nil {
		return nil, err
	}
	if len(children) != len(list.Manifests) {
		return nil, fmt.Errorf("the index lists %d manifests and has %d", len(list.Manifests), len(children))
	}
	var layers []v1.Layer
	for i, child := range children {
		digest, err := child.Digest()
		if err != nil {
			return nil, err
		}
		if want := list.Manifests[i].Digest; digest != want {
			return nil, fmt.Errorf("manifest %s has the content of %s", want, digest)
		}
		below, err := blobs(child, depth)
		if err != nil {
			return nil, fmt.Errorf("manifest %s: %w", digest, err)
		}
		layers = append(layers, below...)
	}
	return unique(layers)
}

func blobs(child partial.Describable, depth int) ([]v1.Layer, error) {
	switch child := child.(type) {
	case v1.ImageIndex:
		return collect(child, depth+1)
	case v1.Image:
		layers, err := child.Layers()
		if err != nil {
			return nil, err
		}
		config, err := config(child)
		if err != nil {
			return nil, err
		}
		return append(layers, config), nil
	case v1.Layer:
		return []v1.Layer{child}, nil
	}
	return nil, nil
}

// config returns an image's config as the layer that it is uploaded as.
func config(img v1.Image) (v1.Layer, error) {
	manifest, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	config, err := partial.ConfigLayer(img)
	if err != nil {
		return nil, err
	}
	digest, err := config.Digest()
	if err == nil && digest != manifest.Config.Digest {
		err = fmt.Errorf("config %s has the content of %s", manifest.Config.Digest, digest)
	}
	return config, err
}

func unique(layers []v1.Layer) ([]v1.Layer, error) {
	seen := map[v1.Hash]bool{}
	var once []v1.Layer
	for _, l := range layers {
		digest, err := l.Digest()
		if err != nil {
			return nil, err
		}
		if !seen[digest] {
			seen[digest] = true
			once = append(once, l)
		}
	}
	return once, nil
}
