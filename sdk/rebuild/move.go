package rebuild

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// Moved is an image that was rebased.
type Moved struct {
	// From is the image as it was, Reference the new one, both by digest. Reference is empty when there was a single tag and
	// it was left alone.
	From      string `json:"from"`
	Reference string `json:"reference,omitempty"`
	// Tags point to the new image now. Kept are those that were left alone, with what they point to instead: somebody
	// published in the meantime, and that wins.
	Tags []string          `json:"tags,omitempty"`
	Kept map[string]string `json:"kept,omitempty"`
	// Manifests are what the image consists of now, one for each verdict of the plan.
	Manifests []*Rebased `json:"-"`
}

// ErrNotRebasable is why a plan that says rebuild is not rebased.
var ErrNotRebasable = errors.New("the image cannot be rebased")

// Rebase does what a plan for the order says. For a single manifest on a base of one layer it makes four requests and
// two for each tag: mount the layer, upload the configuration (two), put the manifest; look at the tag, and set it. With
// one tag and no test, manifest and tag are one request.
//
// Whatever fails, no tag points to something incomplete or untested, and calling it again does what is missing. Registries
// have no compare-and-swap for tags: a tag is looked at directly before it is set, which leaves a gap of one request.
func (m *Mover) Rebase(ctx context.Context, o Order, plan *Plan) (*Moved, error) {
	if plan.Verb != DoRebase {
		return nil, fmt.Errorf("%w: %s: %s", ErrNotRebasable, plan.Image, plan.firstReason())
	}
	base, err := name.NewDigest(o.To)
	if err != nil {
		return nil, err
	}
	out := &Moved{From: plan.Image}
	w, err := m.registry.Writer(ctx, o.Repository, base.Context().String())
	if err != nil {
		return out, err
	}
	job := &move{mover: m, order: o, plan: plan, writer: w, base: base.Context().String(), out: out}
	return out, job.run(ctx)
}

// Retag moves those tags of a repository that still point to a digest to another one that is there already, such as that
// of an image that was built again. It compares as [Mover.Rebase] does, and may be called again.
func (m *Mover) Retag(ctx context.Context, repository, from, to string, tags []string) (*Moved, error) {
	out := &Moved{From: repository + "@" + from, Reference: repository + "@" + to}
	w, err := m.registry.Writer(ctx, repository)
	if err != nil {
		return out, err
	}
	top, err := m.content(ctx, repository, to)
	if err != nil {
		return out, err
	}
	job := &move{mover: m, order: Order{Repository: repository, Digest: from}, writer: w, out: out}
	for _, tag := range tags {
		if err := job.tag(ctx, tag, document{top.mediaType, top.raw}); err != nil {
			return out, err
		}
	}
	return out, nil
}

// move is one rebase under way.
type move struct {
	mover  *Mover
	order  Order
	plan   *Plan
	writer *registry.Writer
	base   string // the new base's repository
	out    *Moved
}

// document is the last thing to put: the manifest, or the index of several.
type document struct {
	mediaType types.MediaType
	raw       []byte
}

func (j *move) run(ctx context.Context) error {
	top, err := j.parts(ctx)
	if err != nil {
		return err
	}
	digest, _ := sha(top.raw)
	j.out.Reference = j.order.Repository + "@" + digest.String()
	if j.order.Test != nil || len(j.order.Tags) != 1 {
		if _, err := j.writer.Manifest(ctx, "", top.mediaType, top.raw); err != nil {
			return err
		}
	}
	if j.order.Test != nil {
		if err := j.order.Test(ctx, j.out.Reference); err != nil {
			return fmt.Errorf("%s is pushed and no tag was moved: %w", j.out.Reference, err)
		}
	}
	for _, tag := range j.order.Tags {
		if err := j.tag(ctx, tag, top); err != nil {
			return err
		}
	}
	if j.order.Test == nil && len(j.order.Tags) == 1 && len(j.out.Tags) == 0 {
		j.out.Reference = "" // its only tag was left alone, so it was not put
	}
	return nil
}

// parts pushes all that stands below the top, and returns the top.
func (j *move) parts(ctx context.Context) (document, error) {
	var moved []*Rebased
	for _, p := range j.plan.parts {
		r, err := Rebase(p.facts, p.manifest, p.change, j.order.Names)
		if err != nil {
			return document{}, err
		}
		if err := j.blobs(ctx, r, p.change.New); err != nil {
			return document{}, err
		}
		moved = append(moved, r)
	}
	j.out.Manifests = moved
	if j.plan.index == nil {
		return document{moved[0].MediaType, moved[0].Manifest}, nil
	}
	for _, r := range moved {
		if _, err := j.writer.Manifest(ctx, "", r.MediaType, r.Manifest); err != nil {
			return document{}, err
		}
	}
	raw, err := rebaseIndex(j.plan, moved, j.order.Names)
	return document{j.mediaType(), raw}, err
}

// mediaType is the index's. OCI indexes may leave the field out.
func (j *move) mediaType() types.MediaType {
	if t := j.plan.index.MediaType; t != "" {
		return t
	}
	return types.OCIImageIndex
}

// blobs has the repository have the new base's layers and the configuration.
func (j *move) blobs(ctx context.Context, r *Rebased, base *Base) error {
	for _, layer := range r.Base {
		key := j.order.Repository + "@" + layer.Digest.String()
		if _, known := j.mover.mounted.Load(key); known {
			continue
		}
		if err := j.layer(ctx, layer); err != nil {
			return fmt.Errorf("layer %s of the new base %s: %w", layer.Digest, base.Digest, err)
		}
		j.mover.mounted.Store(key, true)
	}
	return j.writer.Blob(ctx, r.Config)
}

// layer mounts a layer, or uploads it where the registry does not mount.
func (j *move) layer(ctx context.Context, desc v1.Descriptor) error {
	mounted, err := j.writer.Mount(ctx, j.base, desc.Digest)
	if err != nil || mounted {
		return err
	}
	layer, err := j.mover.registry.Layer(ctx, j.base, desc)
	if err != nil {
		return err
	}
	return j.writer.Layer(ctx, layer)
}

// tag sets a tag if it still points to the image that was moved.
func (j *move) tag(ctx context.Context, tag string, top document) error {
	now, err := j.mover.registry.Resolve(ctx, j.order.Repository+":"+tag)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		now = "nothing"
	case err != nil:
		return err
	}
	if j.out.Reference == j.order.Repository+"@"+now { // an earlier attempt got this far
		j.out.Tags = append(j.out.Tags, tag)
		return nil
	}
	if now != j.order.Digest {
		if j.out.Kept == nil {
			j.out.Kept = map[string]string{}
		}
		j.out.Kept[tag] = now
		return nil
	}
	if _, err := j.writer.Manifest(ctx, tag, top.mediaType, top.raw); err != nil {
		return err
	}
	j.out.Tags = append(j.out.Tags, tag)
	return nil
}

// rebaseIndex makes the index of rebased manifests. All that it does not have to change stays as it is.
func rebaseIndex(plan *Plan, moved []*Rebased, names Names) ([]byte, error) {
	var whole object
	if err := json.Unmarshal(plan.raw, &whole); err != nil {
		return nil, fmt.Errorf("index %s: %w", plan.Image, err)
	}
	descriptors := decode[[]object](whole["manifests"])
	var out []object
	for i, desc := range plan.index.Manifests {
		if describes(desc) {
			continue
		}
		r := moved[len(out)]
		changed := descriptors[i]
		delete(changed, "data")
		changed["digest"], changed["size"] = encode(r.Digest.String()), encode(len(r.Manifest))
		out = append(out, changed)
	}
	annotations := decode[map[string]string](whole["annotations"])
	if annotations == nil {
		annotations = map[string]string{}
	}
	_, digest, _ := strings.Cut(plan.Image, "@")
	annotations[AnnotationFrom] = digest
	if names.Because != "" {
		annotations[AnnotationBecause] = names.Because
	}
	if _, named := annotations[annotationBaseName]; named {
		annotations[annotationBaseName] = names.Base
		delete(annotations, annotationBaseDigest) // each manifest has its own
	}
	whole["manifests"], whole["annotations"] = encode(out), encode(annotations)
	return encode(whole), nil
}

// firstReason is the first reason of the first manifest that cannot be rebased.
func (p *Plan) firstReason() string {
	i := slices.IndexFunc(p.Manifests, func(v Verdict) bool { return len(v.Reasons) > 0 })
	if i < 0 {
		return "for no reason that is known"
	}
	return p.Manifests[i].Platform + ": " + p.Manifests[i].Reasons[0].String()
}
