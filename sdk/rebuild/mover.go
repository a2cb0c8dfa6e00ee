package rebuild

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// Mover plans and does rebases of images in a registry. Bases are read once and serve all images. It is safe for
// concurrent use; its memory grows with the number of bases and of moves under way, not with that of images.
type Mover struct {
	registry *registry.Client
	cache    Cache
	limits   imagefs.Limits

	mu      sync.Mutex
	bases   map[string]*once[*Base]
	changes map[string]*once[*Change]
	mounted sync.Map // repository@digest of layers that are known to be there
}

// NewMover returns a mover. A nil cache means one in memory that lasts as long as the mover.
func NewMover(client *registry.Client, cache Cache) *Mover {
	if cache == nil {
		cache = newMemory()
	}
	return &Mover{
		registry: client, cache: cache, bases: map[string]*once[*Base]{}, changes: map[string]*once[*Change]{},
	}
}

// Order is one image to move.
type Order struct {
	// Repository has the image ("registry/team/app"), Digest is its index or manifest ("sha256:...").
	Repository, Digest string
	// Tags are moved to the new image, those that still point to Digest by then.
	Tags []string
	// From and To are the bases, "registry/base@sha256:...": indexes or manifests.
	From, To string
	// Evidence returns what is known of a manifest of the image. Nil means nothing, so that nothing is rebased.
	Evidence func(ctx context.Context, manifest v1.Hash) (Evidence, error)
	Policy   Policy
	// Names end up in annotations.
	Names Names
	// Test is called with the new image by digest before any tag moves; an error leaves the tags where they are. Nil tests
	// nothing, and a single tag is then set with the image itself, which saves a request.
	Test func(ctx context.Context, ref string) error
}

// Plan is what is to be done with an image.
type Plan struct {
	Image string `json:"image"`
	Verb  Verb   `json:"verb"`
	// Manifests are the verdicts, one for each platform. An image is rebased only if all of its manifests can be.
	Manifests []Verdict `json:"manifests"`
	// Dropped are manifests that describe others, such as BuildKit's attestations: what they say is no longer true of a
	// rebased image. Evidence has to be issued anew.
	Dropped []string `json:"dropped,omitempty"`

	parts []part
	index *v1.IndexManifest
	raw   []byte // the index's text
}

// Requests is how many requests to the registry [Mover.Rebase] makes at most, for so many tags, where the registry mounts
// and nothing was mounted before.
func (p *Plan) Requests(tags int, tested bool) int {
	n := 2 * tags
	if tested || tags != 1 {
		n++
	}
	for _, part := range p.parts {
		n += len(part.change.New.Layers) + 2
		if p.index != nil {
			n++
		}
	}
	return n
}

// part is a manifest of the image with all that rebasing it takes.
type part struct {
	facts    *Image
	manifest []byte
	change   *Change
}

// Plan says what is to be done with an image. It changes nothing.
func (m *Mover) Plan(ctx context.Context, o Order) (*Plan, error) {
	plan := &Plan{Image: o.Repository + "@" + o.Digest, Verb: DoRebase}
	top, err := m.content(ctx, o.Repository, o.Digest)
	if err != nil {
		return nil, err
	}
	manifests := []v1.Descriptor{{MediaType: top.mediaType, Digest: top.digest}}
	if top.mediaType.IsIndex() {
		plan.raw = top.raw
		if plan.index, err = v1.ParseIndexManifest(bytes.NewReader(top.raw)); err != nil {
			return nil, fmt.Errorf("index %s: %w", plan.Image, err)
		}
		manifests = plan.index.Manifests
	}
	for _, desc := range manifests {
		if describes(desc) {
			plan.Dropped = append(plan.Dropped, desc.Digest.String())
			continue
		}
		if err := m.judge(ctx, o, desc, plan); err != nil {
			return nil, err
		}
	}
	if len(plan.Manifests) == 0 {
		return nil, fmt.Errorf("%s has no image in it", plan.Image)
	}
	return plan, nil
}

// describes says whether a manifest in an index is about another one, see BuildKit's attestation storage.
func describes(desc v1.Descriptor) bool {
	return desc.Annotations["vnd.docker.reference.type"] != "" ||
		(desc.Platform != nil && desc.Platform.OS == "unknown" && desc.Platform.Architecture == "unknown")
}

// judge adds the verdict about one manifest to a plan.
func (m *Mover) judge(ctx context.Context, o Order, desc v1.Descriptor, plan *Plan) error {
	if !desc.MediaType.IsImage() {
		return fmt.Errorf("%s: manifest %s is of type %s, which cannot be rebased; rebuild it", plan.Image, desc.Digest, desc.MediaType)
	}
	img, err := m.image(ctx, o, desc.Digest)
	if err != nil {
		return err
	}
	change, err := m.change(ctx, o, img.facts)
	if err != nil {
		return err
	}
	var what []*Touched
	for _, i := range Needs(img.facts, change, o.Policy) {
		layer, err := m.registry.Layer(ctx, o.Repository, img.facts.Layers[i])
		if err != nil {
			return err
		}
		t, err := touched(ctx, m.cache, img.facts.Config.RootFS.DiffIDs[i], layer)
		if err != nil {
			return fmt.Errorf("%s: layer %d: %w", plan.Image, i+1, err)
		}
		what = append(what, t)
	}
	v := Judge(img.facts, change, what, o.Policy)
	if v.Verb != DoRebase {
		plan.Verb = DoRebuild
	}
	plan.Manifests = append(plan.Manifests, v)
	plan.parts = append(plan.parts, part{facts: img.facts, manifest: img.manifest, change: change})
	return nil
}

// content is a manifest or index by digest.
type content struct {
	digest    v1.Hash
	mediaType types.MediaType
	raw       []byte
}

// content reads a manifest or index, from the cache if it is there.
func (m *Mover) content(ctx context.Context, repository, digest string) (content, error) {
	raw, err := cached(ctx, m.cache, "manifest:"+digest, func() ([]byte, error) {
		got, err := m.registry.Get(ctx, repository+"@"+digest)
		if err != nil {
			return nil, err
		}
		return got.Manifest, nil
	})
	if err != nil {
		return content{}, err
	}
	hash, err := v1.NewHash(digest)
	if err != nil {
		return content{}, err
	}
	var said struct {
		MediaType types.MediaType `json:"mediaType"`
		Manifests []any           `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		return content{}, fmt.Errorf("manifest %s@%s: %w", repository, digest, err)
	}
	switch { // OCI manifests may leave the field out
	case said.MediaType != "":
	case said.Manifests != nil:
		said.MediaType = types.OCIImageIndex
	default:
		said.MediaType = types.OCIManifestSchema1
	}
	return content{digest: hash, mediaType: said.MediaType, raw: raw}, nil
}

// read is a manifest of the image that is moved.
type read struct {
	facts    *Image
	manifest []byte
}

func (m *Mover) image(ctx context.Context, o Order, digest v1.Hash) (*read, error) {
	c, err := m.content(ctx, o.Repository, digest.String())
	if err != nil {
		return nil, err
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(c.raw))
	if err != nil {
		return nil, fmt.Errorf("manifest %s@%s: %w", o.Repository, digest, err)
	}
	raw, err := cached(ctx, m.cache, "config:"+manifest.Config.Digest.String(), func() ([]byte, error) {
		return m.registry.Blob(ctx, o.Repository, manifest.Config)
	})
	if err != nil {
		return nil, err
	}
	parsed, err := v1.ParseConfigFile(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("configuration of %s@%s: %w", o.Repository, digest, err)
	}
	facts := &Image{Digest: digest, Config: parsed, Raw: raw, Layers: manifest.Layers}
	if o.Evidence != nil {
		if facts.Evidence, err = o.Evidence(ctx, digest); err != nil {
			return nil, fmt.Errorf("evidence for %s@%s: %w", o.Repository, digest, err)
		}
	}
	return &read{facts: facts, manifest: c.raw}, nil
}

// change returns what differs between the manifests of both bases that are for the image's platform.
func (m *Mover) change(ctx context.Context, o Order, img *Image) (*Change, error) {
	p := img.Config.Platform()
	if p == nil {
		return nil, fmt.Errorf("image %s: its configuration names no platform; rebuild it", img.Digest)
	}
	key := o.From + " " + o.To + " " + platform(img.Config)
	return share(ctx, &m.mu, m.changes, key, func() (*Change, error) {
		from, err := m.base(ctx, o.From, *p)
		if err != nil {
			return nil, err
		}
		to, err := m.base(ctx, o.To, *p)
		if err != nil {
			return nil, err
		}
		return Compare(from, to), nil
	})
}

func (m *Mover) base(ctx context.Context, ref string, p v1.Platform) (*Base, error) {
	if _, err := name.NewDigest(ref); err != nil {
		return nil, fmt.Errorf("base %s: name it by digest: %w", ref, err)
	}
	return share(ctx, &m.mu, m.bases, ref+" "+p.String(), func() (*Base, error) {
		img, err := m.registry.Image(ctx, ref, p.String())
		if err != nil {
			return nil, err
		}
		return ReadBase(ctx, img, m.limits)
	})
}
