package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// text is a definition with every image pinned, and the platforms that it is built for. There is more than one only
// where a word such as base-${TARGETARCH} means different images on different platforms.
type text struct {
	platforms  []string
	definition *definition.Definition
}

// pin rewrites the definition as planned and makes sure that the rewritten one reads what was planned and nothing else.
func (d *Delivery) pin(ctx context.Context, order Order, out *Delivered) ([]text, error) {
	src, err := out.Plan.Rewrite(out.Definition.File.Src)
	if _, differ := errors.AsType[*catalog.PlatformsDifferError](err); !differ {
		if err != nil {
			return nil, err
		}
		t, err := d.pinned(ctx, order, out, order.Platforms, src)
		return []text{t}, err
	}
	var texts []text
	for _, platform := range order.Platforms {
		src, err := out.Plan.RewriteFor(platform, out.Definition.File.Src)
		if err != nil {
			return nil, err
		}
		t, err := d.pinned(ctx, order, out, []string{platform}, src)
		if err != nil {
			return nil, err
		}
		texts = append(texts, t)
	}
	return texts, nil
}

func (d *Delivery) pinned(ctx context.Context, order Order, out *Delivered, platforms []string, src []byte) (text, error) {
	def, err := out.Definition.WithDockerfile(src)
	if err != nil {
		return text{}, err
	}
	out.Diff += out.Definition.Diff(src)
	order.Platforms = platforms
	read, err := d.inputs(ctx, order, def)
	if err != nil {
		return text{}, err
	}
	planned := map[string]bool{}
	for _, decision := range out.Plan.Decisions {
		planned[decision.Digest] = planned[decision.Digest] || decision.Allowed
	}
	for _, in := range read {
		if in.Kind == catalog.KindImage && in.Reachable && !planned[in.Digest] {
			return text{}, fmt.Errorf("%s: %s would be read after pinning, which was not planned", in.Place, in.Ref)
		}
	}
	return text{platforms, def}, nil
}

// build builds the texts and writes on the image where it comes from. That comes before the tests: what is tested is,
// digest for digest, what gets published.
func (d *Delivery) build(ctx context.Context, run *Run, order Order, out *Delivered, texts []text) (*build.Result, error) {
	if len(texts) == 1 {
		req, err := request(run, order, out, texts[0], order.Layout)
		if err != nil {
			return nil, err
		}
		result, err := d.Builder.Build(ctx, req)
		if err != nil {
			return nil, err
		}
		return annotate(result, out)
	}
	parts, err := os.MkdirTemp("", "plimsoll-platforms-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(parts)
	var results []*build.Result
	for _, t := range texts {
		dir := parts + "/" + strings.ReplaceAll(t.platforms[0], "/", "-")
		req, err := request(run, order, out, t, dir)
		if err != nil {
			return nil, err
		}
		result, err := d.Builder.Build(ctx, req)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	merged, err := merge(results, order.Layout)
	if err != nil {
		return nil, err
	}
	return annotate(merged, out)
}

func request(run *Run, order Order, out *Delivered, t text, layout string) (build.Request, error) {
	named, err := contexts(out)
	var sources []build.Source
	for _, s := range out.Plan.Sources() {
		sources = append(sources, build.Source(s))
	}
	return build.Request{
		Name:       t.definition.File.Name,
		Dockerfile: t.definition.File.Src,
		Context:    t.definition.Context,
		Platforms:  t.platforms,
		Target:     order.Target,
		Args:       order.Args,
		Labels:     out.Definition.Build.Labels,
		Contexts:   named,
		Secrets:    order.Secrets,
		Sources:    sources,
		Created:    out.Source.CommitTime,
		CacheScope: out.Source.Repository,
		Network:    order.Network,
		Layout:     layout,
		Progress: func(e build.Event) {
			if e.State == "start" {
				run.Progress("build", e.Step)
			}
		},
	}, err
}

// merge makes one result of those for single platforms.
func merge(results []*build.Result, layout string) (*build.Result, error) {
	merged := *results[0]
	merged.Layout, merged.Steps = layout, nil
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, r := range results {
		list, err := r.Index.IndexManifest()
		if err != nil {
			return nil, err
		}
		for _, desc := range list.Manifests {
			image, err := r.Index.Image(desc.Digest)
			if err != nil {
				return nil, err
			}
			index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: desc.Platform}})
		}
		merged.Steps = append(merged.Steps, r.Steps...)
	}
	if err := registry.SaveLayout(layout, index); err != nil {
		return nil, err
	}
	var err error
	if merged.Index, err = registry.LoadLayout(layout); err != nil {
		return nil, err
	}
	merged.Digest, err = merged.Index.Digest()
	return &merged, err
}
