package runner

import (
	"bytes"
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
)

// record tells the lineage on what a rebased image stands: a record of a build of our own.
func (r *Runner) record(ctx context.Context, run *run, moved *rebuild.Moved) error {
	if r.opts.Lineage == nil {
		return nil
	}
	digest := digestOf(moved.Reference)
	var b lineage.Batch
	index := lineage.Image{Digest: digest, Kind: lineage.KindIndex, Owner: run.Owner}
	for _, m := range moved.Manifests {
		manifest, err := v1.ParseManifest(bytes.NewReader(m.Manifest))
		if err != nil {
			return err
		}
		config, err := v1.ParseConfigFile(bytes.NewReader(m.Config))
		if err != nil {
			return fmt.Errorf("the configuration of %s: %w", m.Digest, err)
		}
		img := lineage.Image{
			Digest: m.Digest.String(), Kind: lineage.KindManifest, Platform: config.Platform().String(), Config: manifest.Config.Digest.String(),
			Created: config.Created.UTC(), Owner: run.Owner, Definition: run.Definition,
		}
		if img.Definition.Commit != "" {
			img.Definition.Grade = lineage.GradeBuild
		}
		var diffIDs []string
		for _, id := range config.RootFS.DiffIDs {
			diffIDs = append(diffIDs, id.String())
		}
		img.SetLayers(diffIDs)
		b.Images = append(b.Images, img)
		b.Edges = append(b.Edges, lineage.Edge{
			Image: lineage.Image{Digest: img.Digest}, Base: digestOf(run.To), Name: run.ToName, Role: lineage.RoleBase, Grade: lineage.GradeBuild,
			Source: "rebased in campaign " + run.campaign, Time: r.opts.Now().UTC(),
		})
		index.Manifests = append(index.Manifests, lineage.Child{Digest: img.Digest, Platform: img.Platform})
	}
	if len(moved.Manifests) == 1 && moved.Manifests[0].Digest.String() == digest {
		index.Digest = "" // there is none
	} else {
		b.Images = append(b.Images, index)
	}
	b.Tags = r.tags(run, moved, digest)
	return r.opts.Lineage.Put(ctx, b)
}

// tags are those that point to a new image now.
func (r *Runner) tags(run *run, moved *rebuild.Moved, digest string) []lineage.Tag {
	var tags []lineage.Tag
	for _, tag := range moved.Tags {
		tags = append(tags, lineage.Tag{Repository: run.Repository, Name: tag, Digest: digest, Since: r.opts.Now().UTC()})
	}
	return tags
}
