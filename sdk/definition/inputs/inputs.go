// Package inputs lists what a build of a definition will really read: every image, git repository and file from the web,
// on every platform, with the place that names it and the digest that it has now.
//
//	list, err := inputs.List(ctx, def, inputs.Options{Resolver: client, Args: args})
//
// BuildKit itself answers, by the conversion that its Dockerfile frontend does before a build, with images' configs from
// the given resolver; so arguments, platforms, ONBUILD triggers that a base brings, stages that nobody needs and names
// that mean another stage are as they will be in the build. Nothing but the resolver is asked, and nothing is downloaded
// but manifests and image configs.
//
// What it finds is judged elsewhere (package catalog); what can't be known for certain is an error or an input that no
// catalog allows.
package inputs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Resolver reads image configs. Package registry's client is one. Implementations are safe for concurrent use.
type Resolver interface {
	// Config reads what a full reference ("docker.io/library/debian:12", "docker.io/library/debian:12@sha256:...") names
	// for a platform ("linux/arm/v7").
	Config(ctx context.Context, ref, platform string) (catalog.ImageConfig, error)
}

// Options say what will be built. Only Resolver is required; the rest must be what the builder is given later.
type Options struct {
	Resolver Resolver
	// Platforms are the target platforms, "os/arch[/variant]". Default: BuildPlatform.
	Platforms []string
	// BuildPlatform is the builder's own, for BUILDPLATFORM and its like. Default: Linux on this machine's architecture.
	BuildPlatform string
	// Args are build arguments. Reserved names (BUILDKIT_*) are refused: they steer the builder.
	Args map[string]string
	// Target is the stage to build; default the last.
	Target string
	// Contexts are named contexts: they replace the stage or image of that name. The value says what with, such as
	// "docker-image://docker.io/library/debian:12" or a URL. Each is an input by itself.
	Contexts map[string]string
	// AllStages lists also what the stages read that the target does not need, with Reachable false. An image there that
	// can't be had has no digest, rather than being an error.
	AllStages bool
	// Created is what SOURCE_DATE_EPOCH will be. Default: the commit's time.
	Created time.Time
}

// Set is what a build reads.
type Set struct {
	// Inputs are in the order of the file for each platform, in the order of Options.Platforms; before them the frontend,
	// after them the named contexts.
	Inputs []catalog.Input

	images *images
}

// Image returns what the registry said about an input that is an image; false for others and for one without a digest.
func (s *Set) Image(in catalog.Input) (catalog.ImageConfig, bool) {
	if in.Kind != catalog.KindImage || in.Digest == "" {
		return catalog.ImageConfig{}, false
	}
	s.images.mu.Lock()
	defer s.images.mu.Unlock()
	c := s.images.calls[imageKey{in.Ref, in.Platform}]
	if c == nil || c.image == nil {
		return catalog.ImageConfig{}, false
	}
	return c.image.ImageConfig, true
}

// List returns the inputs of a definition. Errors are an [*Error] where there is a place. See [Collect] for more.
func List(ctx context.Context, def *definition.Definition, opts Options) ([]catalog.Input, error) {
	set, err := Collect(ctx, def, opts)
	if err != nil {
		return nil, err
	}
	return set.Inputs, nil
}

// Collect is [List] with the image configs that were read on the way. All platforms of one reference have one digest,
// even if the tag moves meanwhile.
func Collect(ctx context.Context, def *definition.Definition, opts Options) (*Set, error) {
	set, err := collect(ctx, def, opts)
	if located, ok := errors.AsType[*Error](err); ok {
		located.Place = def.Place(located.Place)
	}
	return set, err
}

// Written returns inputs of a compiled definition with the places that were written, see [definition.Definition.Written].
// Plans are made of those that List returned, since a plan's edits are of the compiled text.
func Written(def *definition.Definition, list []catalog.Input) []catalog.Input {
	out := slices.Clone(list)
	for i, in := range out {
		from := def.Arguments(in.From)
		for _, r := range in.From {
			r.Place = def.Place(r.Place)
			from = append(from, r)
		}
		out[i].From, out[i].Place = from, def.Place(in.Place)
	}
	return out
}

func collect(ctx context.Context, def *definition.Definition, opts Options) (*Set, error) {
	c, err := newCollector(ctx, def, opts)
	if err != nil {
		return nil, err
	}
	list, err := c.frontend()
	if err != nil {
		return nil, err
	}
	for _, platform := range c.platforms {
		found, err := c.platform(ctx, platform)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return &Set{Inputs: list, images: c.images}, nil
}

// BuildKit's conversion takes more than square time: 1000 instructions can keep it busy for some seconds, 10,000 for an
// hour.
const (
	maxStages       = 200
	maxInstructions = 1000
)

// ErrTooLarge says that the file has more than 200 stages or 1000 instructions.
var ErrTooLarge = fmt.Errorf("more than %d stages or %d instructions", maxStages, maxInstructions)

// ErrReservedArg says that a build argument steers the builder rather than the build.
var ErrReservedArg = errors.New("reserved build argument")

// collector is one call of Collect.
type collector struct {
	def       *definition.Definition
	file      *definition.File
	opts      Options
	args      map[string]string
	build     ocispec.Platform
	platforms []ocispec.Platform
	images    *images
}

func newCollector(ctx context.Context, def *definition.Definition, opts Options) (*collector, error) {
	if def == nil || def.File == nil || len(def.File.Stages) == 0 {
		return nil, errors.New("inputs: the definition has no parsed Dockerfile")
	}
	if len(def.File.Stages) > maxStages || len(def.File.Instructions) > maxInstructions {
		return nil, &Error{Place: finding.Place{File: def.File.Name}, Err: ErrTooLarge}
	}
	if opts.Resolver == nil {
		return nil, errors.New("inputs: Options.Resolver is missing")
	}
	c := &collector{def: def, file: def.File, opts: opts, images: newImages(ctx, opts.Resolver)}
	created := opts.Created
	if created.IsZero() {
		created = def.Source.CommitTime
	}
	var err error
	if c.args, err = buildArgs(opts.Args, created); err != nil {
		return nil, err
	}
	if opts.BuildPlatform == "" {
		opts.BuildPlatform = "linux/" + runtime.GOARCH
	}
	if len(opts.Platforms) == 0 {
		opts.Platforms = []string{opts.BuildPlatform}
	}
	for _, text := range append([]string{opts.BuildPlatform}, opts.Platforms...) {
		p, err := platforms.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("platform %q: write it as linux/amd64: %w", text, err)
		}
		c.platforms = append(c.platforms, platforms.Normalize(p))
	}
	c.build, c.platforms = c.platforms[0], c.platforms[1:]
	return c, nil
}

// buildArgs are the arguments that the builder will pass.
func buildArgs(given map[string]string, created time.Time) (map[string]string, error) {
	const epoch = "SOURCE_DATE_EPOCH"
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch {
		case strings.HasPrefix(name, "BUILDKIT_"):
			return nil, fmt.Errorf("%w %s: names that begin with BUILDKIT_ steer the builder", ErrReservedArg, name)
		case name == epoch:
			return nil, fmt.Errorf("%w %s: it is set from Options.Created", ErrReservedArg, name)
		case name == "" || strings.ContainsAny(name, "= \n"):
			return nil, fmt.Errorf("build argument %q is not a name", name)
		}
	}
	args := maps.Clone(given)
	if args == nil {
		args = map[string]string{}
	}
	args[epoch] = "0"
	if !created.IsZero() {
		args[epoch] = strconv.FormatInt(created.Unix(), 10)
	}
	return args, nil
}

// frontend is the image that a syntax line names, to run the build with.
func (c *collector) frontend() ([]catalog.Input, error) {
	name, ok := syntax(c.file.Src)
	if !ok {
		return nil, nil
	}
	place := finding.Place{File: c.file.Name}
	if d, ok := c.file.Directive("syntax"); ok && strings.HasPrefix(d.Value.Text, name) {
		place = c.file.Place(d.Value.Slice(0, len(name)))
	}
	ref, err := fullReference(name)
	if err != nil {
		return nil, &Error{Place: place, Err: fmt.Errorf("frontend %q: %w", name, err)}
	}
	platform := formatPlatform(c.build)
	img, err := c.images.get(ref, platform)
	if err != nil {
		return nil, &Error{Place: place, Platform: platform, Ref: ref, Err: err}
	}
	return []catalog.Input{{
		Kind: catalog.KindImage, Role: catalog.RoleFrontend, Platform: platform, Written: name, Ref: ref,
		Digest: img.Digest, Reachable: true, Place: place,
	}}, nil
}
