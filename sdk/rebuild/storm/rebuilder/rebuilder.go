// Package rebuilder builds images again for a storm, from the commit that their signed provenance names: on a pipeline of
// one's own ([Pipeline]), or on a build service ([Service]). Both leave it to the catalog what the new build stands on, so a
// ban with a replacement, or a substitution, is all that moves it. [Tester] tests what was rebased instead.
//
// A commit that nobody trusted vouches for is not built: that is reported, and not guessed from annotations.
package rebuilder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/client"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Origin finds how an image was built, by its signed provenance. All fields are required.
type Origin struct {
	Source attest.Source // usually an *attest.Store
	Trust  attest.Verifier
	// Builders are the ids of the builders whose word counts.
	Builders []string
	Now      func() time.Time
}

// ErrNoOrigin says that nobody trusted says from which commit an image was built.
var ErrNoOrigin = errors.New("no signed provenance of a trusted builder says from which commit it was built")

// Of returns what the provenance of an image says its build was asked for; the Dockerfile's path is that from the
// directory. The error wraps [ErrNoOrigin] if there is none.
func (o *Origin) Of(ctx context.Context, reference string) (provenance.External, error) {
	image, err := o.Source.Image(ctx, reference)
	if err != nil {
		return provenance.External{}, err
	}
	bundles, err := o.Source.Bundles(ctx, image, []string{provenance.Type})
	if err != nil {
		return provenance.External{}, err
	}
	for _, b := range bundles {
		if _, err := o.Trust.Verify(ctx, b, o.Now()); err != nil {
			continue
		}
		s, err := b.UnverifiedStatement()
		if err != nil || !s.About(image.Digest) {
			continue
		}
		p, err := provenance.Parse(s.Predicate)
		if err != nil {
			return provenance.External{}, fmt.Errorf("the provenance of %s: %w", reference, err)
		}
		asked := p.BuildDefinition.External
		if asked.Commit != "" && asked.Repository != "" && slices.Contains(o.Builders, p.RunDetails.Builder.ID) {
			asked.Dockerfile, err = filepath.Rel(cmp.Or(asked.Directory, "."), cmp.Or(asked.Dockerfile, "Dockerfile"))
			return asked, err
		}
	}
	return provenance.External{}, fmt.Errorf("%s: %w", reference, ErrNoOrigin)
}

// Pipeline builds with a delivery. It is a [runner.Rebuilder] and safe for concurrent use.
type Pipeline struct {
	// Delivery has the parts; its catalog says what images stand on from now on. Its registry has to read indexes too, as
	// *registry.Client does.
	Delivery pipeline.Delivery
	// Origin finds the commit. Required.
	Origin *Origin
	// Load logs in to repositories and limits what is read; directory and Dockerfile are the origin's.
	Load source.Options
	// Dir is for layouts under way. Default: the system's directory for temporary files.
	Dir string
	// Stages receives what happens. May be nil.
	Stages func(pipeline.Event)
}

// Registry is what a pipeline's registry has to do.
type Registry interface {
	pipeline.Registry
	Index(ctx context.Context, ref string) (v1.ImageIndex, error)
}

// Rebuild implements [runner.Rebuilder].
func (p *Pipeline) Rebuild(ctx context.Context, r runner.Request) (_ string, err error) {
	asked, err := p.Origin.Of(ctx, r.Item.Reference())
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(p.Dir, "rebuild-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	load := p.Load
	load.Dir, load.Dockerfile = asked.Directory, asked.Dockerfile
	order := pipeline.Order{
		Repository: asked.Repository, Ref: asked.Commit, Load: load, Platforms: asked.Platforms, Target: asked.Target, Args: asked.Args,
		Network: build.Network(asked.Network), Layout: filepath.Join(dir, "layout"), Publish: r.Item.Repository, Invocation: r.Campaign + "/" + r.Item.ID,
	}
	if r.Item.Owner != "" {
		order.Labels = map[string]string{pipeline.OwnerLabel: r.Item.Owner}
	}
	reg, ok := p.Delivery.Registry.(Registry)
	if !ok {
		return "", fmt.Errorf("a %T reads no indexes, so that an earlier attempt could not be found", p.Delivery.Registry)
	}
	a := &attempt{Registry: reg, builder: p.Delivery.Builder, order: order, request: r}
	delivery := p.Delivery
	delivery.Registry, delivery.Builder = a, a
	out, err := delivery.Run(ctx, pipeline.NewRun(pipeline.Options{Events: p.Stages}), order)
	if err != nil {
		return "", err
	}
	return out.Reference, nil
}

// Service builds on a build service. It is a [runner.Rebuilder] and safe for concurrent use.
type Service struct {
	Client *client.Client
	// Origin finds the commit. Required.
	Origin *Origin
	// Priority is that of the builds, from 1 to 4. Default: the service's.
	Priority int
}

// Rebuild implements [runner.Rebuilder]. The same request is one build there, however often it is made.
func (s *Service) Rebuild(ctx context.Context, r runner.Request) (string, error) {
	asked, err := s.Origin.Of(ctx, r.Item.Reference())
	if err != nil {
		return "", err
	}
	b, err := s.Client.Request(ctx, api.Request{
		Repository: asked.Repository, Commit: asked.Commit, Directory: asked.Directory, Dockerfile: asked.Dockerfile, Target: asked.Target,
		Platforms: asked.Platforms, Args: asked.Args, Priority: s.Priority,
	}, r.Key)
	if err != nil {
		return "", err
	}
	if _, err := s.Client.Follow(ctx, b.ID, 0, func(api.Line) error { return nil }); err != nil {
		return "", err
	}
	if b, err = s.Client.Get(ctx, b.ID); err != nil {
		return "", err
	}
	if b.State != api.Succeeded {
		return "", fmt.Errorf("build %s %s: %s", b.ID, b.State, b.Reason)
	}
	return b.Reference, nil
}

// Tester tests rebased images with the features of their definitions, at the commit that they were built from, and those
// that Ops requires of every image. It is a [runner.Tester] and safe for concurrent use.
type Tester struct {
	Registry *registry.Client
	Sandbox  sandbox.Runtime
	// Required are features that every image must pass. Default none.
	Required fs.FS
	// Load logs in to repositories and limits what is read.
	Load source.Options
}

// Test implements [runner.Tester].
func (t *Tester) Test(ctx context.Context, item *storm.Item, reference string) (*blackbox.Verdict, error) {
	features := blackbox.Folders{}
	if t.Required != nil {
		features["required"] = t.Required
	}
	if d := item.Definition; d.Commit != "" && d.Grade >= lineage.GradeBuild {
		load := t.Load
		load.Dir, load.Dockerfile = path.Split(d.Path)
		def, err := source.Load(ctx, d.Repository, d.Commit, load)
		if err != nil {
			return nil, fmt.Errorf("its features: %w", err)
		}
		switch info, err := fs.Stat(def.Context, pipeline.FeaturesDir); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("its features: %w", err)
		case info.IsDir():
			own, err := fs.Sub(def.Context, pipeline.FeaturesDir)
			if err != nil {
				return nil, err
			}
			features[pipeline.FeaturesDir] = own
		}
	}
	if len(features) == 0 {
		return nil, nil
	}
	content, err := t.Registry.Get(ctx, reference)
	if err != nil {
		return nil, err
	}
	suite := blackbox.Suite{Features: features, Image: content.Image, Index: content.Index, Runtime: t.Sandbox}
	return suite.Run(ctx)
}
