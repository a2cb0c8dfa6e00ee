package scan

import (
	"context"
	"errors"
	"fmt"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// read reads what a reference names: an image, or an index with its images.
func (r *run) read(ctx context.Context, repository, ref string, seen *sync.Map) (digest string, b lineage.Batch, err error) {
	m, err := r.manifest(ctx, ref)
	if err != nil {
		return "", b, err
	}
	digest = m.Descriptor.Digest.String()
	if _, twice := seen.LoadOrStore(digest, true); twice {
		return digest, b, nil
	}
	err = r.content(ctx, repository, m, nil, seen, 0, &b)
	if err != nil {
		seen.Delete(digest)
		return digest, b, err
	}
	return digest, b, r.evidence(ctx, repository, m, &b)
}

func (r *run) manifest(ctx context.Context, ref string) (m *registry.Manifest, err error) {
	err = r.ask(ctx, func() (err error) {
		m, err = r.Registry.Manifest(ctx, ref)
		return err
	})
	return m, err
}

// content adds what a manifest or index says. above are the annotations of the indexes it is in.
func (r *run) content(ctx context.Context, repository string, m *registry.Manifest, above []map[string]string, seen *sync.Map, depth int, b *lineage.Batch) error {
	d, err := parseManifest(m.Raw)
	switch kind := m.Descriptor.MediaType; {
	case err != nil:
		return err
	case kind == types.DockerManifestSchema1 || kind == types.DockerManifestSchema1Signed || d.SchemaVersion == 1:
		b.Images = append(b.Images, r.owned(lineage.Image{Digest: m.Descriptor.Digest.String(), Kind: lineage.KindManifest, Note: "schema 1: it has no layers to compare"}, repository))
		r.counted(&r.progress.images)
		return nil
	case kind.IsIndex():
		return r.index(ctx, repository, m, d, above, seen, depth, b)
	case !d.isImage():
		return errNoImage
	}
	var raw []byte
	err = r.ask(ctx, func() (err error) {
		raw, err = r.Registry.Blob(ctx, repository, d.Config)
		return err
	})
	if err != nil {
		return err
	}
	img, err := d.image(m.Descriptor.Digest.String(), raw)
	if err != nil {
		return err
	}
	b.Edges = append(b.Edges, annotated(&img, append([]map[string]string{d.Annotations}, above...)...)...)
	b.Images = append(b.Images, r.owned(img, repository))
	r.counted(&r.progress.images)
	return nil
}

func (r *run) owned(img lineage.Image, repository string) lineage.Image {
	if img.Owner == "" && r.opts.Owner != nil {
		img.Owner = cut(r.opts.Owner(repository))
	}
	return img
}

// maxDepth limits indexes within indexes.
const maxDepth = 4

func (r *run) index(ctx context.Context, repository string, m *registry.Manifest, d document, above []map[string]string, seen *sync.Map, depth int, b *lineage.Batch) error {
	if depth == maxDepth {
		return fmt.Errorf("index %s: more than %d indexes within each other", m.Descriptor.Digest, maxDepth)
	}
	img := lineage.Image{Digest: m.Descriptor.Digest.String(), Kind: lineage.KindIndex}
	listed := map[string]bool{}
	for _, child := range d.children() {
		if listed[child.Digest.String()] {
			continue
		}
		listed[child.Digest.String()] = true
		below, err := r.manifest(ctx, repository+"@"+child.Digest.String())
		if err == nil {
			err = r.content(ctx, repository, below, append([]map[string]string{child.Annotations, d.Annotations}, above...), seen, depth+1, b)
		}
		switch {
		case errors.Is(err, errNoImage):
			continue
		case registryLacks(err): // an index may be copied without some of its platforms
			r.problem(repository+"@"+child.Digest.String(), err)
		case err != nil:
			return err
		}
		img.Manifests = append(img.Manifests, lineage.Child{Digest: child.Digest.String(), Platform: platformName(child.Platform)})
	}
	b.Images = append(b.Images, img)
	return r.attached(ctx, repository, d, b)
}

func registryLacks(err error) bool { return errors.Is(err, registry.ErrNotFound) }

// attached reads the statements that BuildKit keeps in the index, beside the manifest that each is about. Nobody signed
// them.
func (r *run) attached(ctx context.Context, repository string, d document, b *lineage.Batch) error {
	for _, child := range d.Manifests {
		if !attestation(child) || !valid(child.Digest) {
			continue
		}
		ref := repository + "@" + child.Digest.String()
		m, err := r.manifest(ctx, ref)
		if err == nil {
			err = r.statements(ctx, repository, m, child, b)
		}
		if err := r.stops(ctx, ref, err); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) statements(ctx context.Context, repository string, m *registry.Manifest, child v1.Descriptor, b *lineage.Batch) error {
	d, err := parseManifest(m.Raw)
	if err != nil {
		return err
	}
	subject, err := v1.NewHash(child.Annotations["vnd.docker.reference.digest"])
	if err != nil {
		return fmt.Errorf("attestation: it does not say what it is about: %w", err)
	}
	for _, layer := range d.Layers {
		if layer.MediaType != attest.StatementMediaType {
			continue
		}
		var raw []byte
		err := r.ask(ctx, func() (err error) {
			raw, err = r.Registry.Blob(ctx, repository, layer)
			return err
		})
		if err != nil {
			return err
		}
		s, err := attest.ParseStatement(raw)
		if err != nil {
			return err
		}
		if err := believe(s, []v1.Hash{subject}, lineage.GradeUnsigned, "attestation "+child.Digest.String(), b); err != nil {
			return err
		}
	}
	return nil
}

// evidence reads what refers to the image, signed or not, and what is installed if that is not among it.
func (r *run) evidence(ctx context.Context, repository string, m *registry.Manifest, b *lineage.Batch) error {
	if r.opts.Evidence != nil {
		if err := r.signed(ctx, repository, m, b); err != nil {
			return err
		}
	}
	if r.opts.Packages == nil {
		return nil
	}
	has := map[string]bool{}
	for _, inv := range b.Inventories {
		has[inv.Image] = true
	}
	for _, img := range b.Images {
		if img.Kind != lineage.KindManifest || has[img.Digest] {
			continue
		}
		ref := repository + "@" + img.Digest
		inv, err := r.opts.Packages(ctx, ref)
		if err != nil {
			if err := r.stops(ctx, ref, fmt.Errorf("packages: %w", err)); err != nil {
				return err
			}
			continue
		}
		inv.Image, inv.Grade = img.Digest, lineage.GradeLayers
		b.Inventories = append(b.Inventories, inv)
	}
	return nil
}

func (r *run) signed(ctx context.Context, repository string, m *registry.Manifest, b *lineage.Batch) error {
	image := &attest.Image{Repository: repository, Digest: m.Descriptor.Digest}
	for _, img := range b.Images {
		if h, err := v1.NewHash(img.Digest); err == nil && img.Kind == lineage.KindManifest && h != image.Digest {
			image.Manifests = append(image.Manifests, attest.Manifest{Platform: img.Platform, Digest: h})
		}
	}
	var bundles []*attest.Bundle
	err := r.ask(ctx, func() (err error) {
		bundles, err = r.opts.Evidence.Bundles(ctx, image, predicateTypes())
		return err
	})
	if err != nil {
		return r.stops(ctx, image.Reference(), err)
	}
	for _, bundle := range bundles {
		grade, source := lineage.GradeUnsigned, "bundle that nobody trusted has signed"
		if r.opts.Trust != nil {
			if by, err := r.opts.Trust.Verify(ctx, bundle, r.opts.Now()); err == nil {
				grade, source = lineage.GradeSigned, "signed by "+by.String()
			}
		}
		s, err := bundle.UnverifiedStatement()
		if err == nil {
			err = believe(s, image.Digests(), grade, cut(source), b)
		}
		if err := r.stops(ctx, image.Reference(), err); err != nil {
			return err
		}
	}
	return nil
}

// believe adds what a statement says of images of the batch. A statement about an index is about each of its manifests.
func believe(s *attest.Statement, subjects []v1.Hash, grade lineage.Grade, source string, b *lineage.Batch) error {
	about := map[string]bool{}
	for _, h := range subjects {
		if s.About(h) {
			about[h.String()] = true
		}
	}
	for _, img := range b.Images {
		if img.Kind == lineage.KindIndex && about[img.Digest] {
			for _, child := range img.Manifests {
				about[child.Digest] = true
			}
		}
	}
	for i := range b.Images {
		img := &b.Images[i]
		if img.Kind != lineage.KindManifest || !about[img.Digest] {
			continue
		}
		says, err := understand(s, *img, grade, source)
		if err != nil {
			return err
		}
		b.Edges = append(b.Edges, says.edges...)
		if says.definition.Grade > img.Definition.Grade {
			img.Definition = says.definition
		}
		if says.inventory != nil {
			b.Inventories = append(b.Inventories, *says.inventory)
		}
	}
	return nil
}
