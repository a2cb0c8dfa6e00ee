package pipeline

import (
	"cmp"
	"context"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/scan"
)

// Lineage takes what a delivery built from what.
type Lineage interface {
	// Put adds a batch, all of it or nothing.
	Put(ctx context.Context, batch lineage.Batch) error
}

// OwnerLabel is the label of an order ([Order.Labels]) that says who answers for the image.
const OwnerLabel = "owner"

// record puts what was published into the lineage: a record of a build of our own.
func (d *Delivery) record(ctx context.Context, run *Run, order Order, out *Delivered) error {
	batch, err := scan.Index(out.Build.Index)
	if err != nil {
		return err
	}
	now := run.now().UTC()
	for i := range batch.Images {
		img := &batch.Images[i]
		if img.Kind != lineage.KindManifest {
			continue
		}
		img.Owner = cmp.Or(img.Owner, order.Labels[OwnerLabel])
		img.Definition = lineage.Definition{
			Repository: out.Source.Repository, Commit: out.Source.Commit,
			Path: out.Source.Dockerfile, Grade: lineage.GradeBuild,
		}
		for _, decision := range out.Plan.Decisions {
			if e, ok := edgeOf(decision, *img); ok {
				e.Source, e.Time = cmp.Or(order.Invocation, "a delivery of "+out.Source.Commit), now
				batch.Edges = append(batch.Edges, e)
			}
		}
	}
	published, err := name.NewDigest(out.Reference)
	if err != nil {
		return err
	}
	repository := published.Context().Name()
	if p, ok := strings.CutPrefix(repository, name.DefaultRegistry+"/"); ok {
		repository = "docker.io/" + p
	}
	for _, tag := range order.Tags {
		batch.Tags = append(batch.Tags, lineage.Tag{Repository: repository, Name: tag, Digest: published.DigestStr(), Since: now})
	}
	return d.Lineage.Put(ctx, batch)
}

// edgeOf is what a decision about an input says of an image for its platform.
func edgeOf(decision catalog.Decision, img lineage.Image) (lineage.Edge, bool) {
	in := decision.Input
	if in.Kind != catalog.KindImage || !in.Reachable || decision.Digest == "" || !lineage.SamePlatform(cmp.Or(in.BuiltFor, in.Platform), img.Platform) {
		return lineage.Edge{}, false
	}
	role := lineage.RoleInput
	switch {
	case in.Runtime:
		role = lineage.RoleBase
	case in.Role == catalog.RoleBase:
		role = lineage.RoleStage
	case in.Role == catalog.RoleCopy, in.Role == catalog.RoleOnBuild:
		role = lineage.RoleCopy
	case in.Role == catalog.RoleMount:
		role = lineage.RoleMount
	case in.Role == catalog.RoleFrontend:
		role = lineage.RoleFrontend
	}
	return lineage.Edge{
		Image: lineage.Image{Digest: img.Digest}, Base: decision.Digest, Name: decision.Effective, Role: role, Grade: lineage.GradeBuild,
	}, true
}
