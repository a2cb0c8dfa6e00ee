package dagger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/check"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/inputs"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// request is a checked build.Request: all that it reads is listed in it.
type request struct {
	build.Request
	file *definition.File
	// bases are the configs of the images that the target stands on, by platform; none for scratch.
	bases map[string]*v1.ConfigFile
}

func (b *Builder) request(ctx context.Context, req build.Request) (*request, error) {
	if req.Name == "" {
		req.Name = "Dockerfile"
	}
	if err := check.Request(req); err != nil {
		return nil, err
	}
	if len(req.Contexts) > 0 {
		return nil, errors.New("named contexts: Dagger's engine knows none; build this definition with another builder, or copy from a stage or an image that the Dockerfile names")
	}
	if err := listed(req.Sources); err != nil {
		return nil, err
	}
	if len(req.Platforms) == 0 {
		own, err := b.platform(ctx)
		if err != nil {
			return nil, err
		}
		req.Platforms = []string{own}
	}
	r := &request{Request: req, bases: map[string]*v1.ConfigFile{}}
	var err error
	if r.file, err = definition.Parse(req.Name, req.Dockerfile); err != nil {
		if syntax, ok := errors.AsType[*definition.SyntaxError](err); ok {
			return nil, &build.Error{Place: syntax.Place, Err: syntax.Err}
		}
		return nil, err
	}
	return r, r.compare(ctx, b.opts.Registry)
}

// listed checks that images are pinned and that kinds are known.
func listed(sources []build.Source) error {
	for _, s := range sources {
		switch s.Kind {
		case "image":
			named, err := reference.ParseNormalizedNamed(s.Ref)
			if err != nil {
				return fmt.Errorf("source %q: %w", s.Ref, err)
			}
			if _, pinned := named.(reference.Digested); !pinned {
				return fmt.Errorf("source %q: an image that a build may read is pinned by digest (name:tag@sha256:...)", s.Ref)
			}
		case "git", "http":
		default:
			return fmt.Errorf("source %q: kind %q is none of image, git, http", s.Ref, s.Kind)
		}
	}
	return nil
}

// compare lists all that the build will read, triggers of its bases included, and refuses what the request does not list.
func (r *request) compare(ctx context.Context, registry inputs.Resolver) error {
	set, err := inputs.Collect(ctx, &definition.Definition{File: r.file, Context: r.Context}, inputs.Options{
		Resolver: listedOnly{registry, r.Sources}, Platforms: r.Platforms, Args: r.Args, Target: r.Target, Created: r.Created,
	})
	if err != nil {
		if located, ok := errors.AsType[*inputs.Error](err); ok {
			return &build.Error{Place: located.Place, Err: located.Err}
		}
		return err
	}
	for _, in := range set.Inputs {
		if in.Reachable && !allowed(r.Sources, string(in.Kind), in.Ref) {
			return &build.Error{Place: in.Place, Err: fmt.Errorf("%s: %w", in.Ref, build.ErrUnlisted)}
		}
		if in.Role != catalog.RoleBase || !in.Runtime {
			continue
		}
		image, _ := set.Image(in)
		config, err := v1.ParseConfigFile(bytes.NewReader(image.Config))
		if err != nil {
			return &build.Error{Place: in.Place, Err: fmt.Errorf("%s: its config: %w", in.Ref, err)}
		}
		if r.Network == build.NetworkNone && slices.ContainsFunc(config.Config.OnBuild, func(trigger string) bool { return keyword(trigger) == "run" }) {
			return &build.Error{Place: in.Place, Err: fmt.Errorf("%s: a trigger of this base runs a command, which on Dagger's engine would have the network: allow it, or build with another builder", in.Ref)}
		}
		platform := in.Platform
		if in.BuiltFor != "" {
			platform = in.BuiltFor
		}
		r.bases[platform] = config
	}
	return nil
}

// listedOnly asks for the configs of listed images only: what is not listed is not even looked at.
type listedOnly struct {
	inputs.Resolver
	sources []build.Source
}

func (l listedOnly) Config(ctx context.Context, ref, platform string) (catalog.ImageConfig, error) {
	if !allowed(l.sources, "image", ref) {
		return catalog.ImageConfig{}, fmt.Errorf("%s: %w", ref, build.ErrUnlisted)
	}
	return l.Resolver.Config(ctx, ref, platform)
}

// allowed says whether a source is listed, images compared by their full names.
func allowed(sources []build.Source, kind, ref string) bool {
	return slices.ContainsFunc(sources, func(s build.Source) bool {
		return s.Kind == kind && (s.Ref == ref || kind == "image" && full(s.Ref) == full(ref))
	})
}

func full(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return named.String()
}

// place is where an instruction begins.
func (r *request) place(in *definition.Instruction) finding.Place {
	place := r.file.Place(in.Keyword)
	return finding.Place{File: place.File, Start: place.Start}
}
