package pipeline

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/inputs"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/move"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Delivery is the ready-made pipeline: its fields are the parts that a platform team chooses, its Run reads like the
// promises. Catalog, Registry and Builder are required, and Sandbox where an order has features. It keeps no state and is
// safe for concurrent use.
type Delivery struct {
	// Catalog is what Ops allows.
	Catalog *catalog.Catalog
	// Registry is where bases come from and images go to; *registry.Client is one.
	Registry Registry
	// Signatures and Packages are asked where the catalog needs them: for entries that demand a signature, and for bans by
	// package. Packages attest/cosign and blackbox/packages/installed have them. A catalog that needs one that is nil stops
	// the delivery.
	Signatures catalog.SignatureFacts
	Packages   catalog.PackageFacts
	// Builder builds: build/buildkit in one of its homes, or build/dagger.
	Builder build.Builder
	// Required are features that every image must pass, beside those that its developers wrote: what Ops requires. Package
	// features/image has some that are ready. Default none.
	Required fs.FS
	// Sandbox runs the images under test.
	Sandbox sandbox.Runtime
	// Rules judge the definition as Lint configures them; none means no lint. What comments may suppress is the catalog's to
	// say, where it does ([Govern]).
	Rules []lint.Rule
	Lint  lint.Config
	// Gate is the severity from which on a finding stops the delivery. Default finding.Error.
	Gate finding.Severity
	// AcceptUntested publishes an image although some of its platforms could not be run here. The verdict names them.
	AcceptUntested bool
	// Evidence signs and stores what a delivery did, before a tag names the image. Nil publishes unsigned images, which the
	// record says and no policy of package attest accepts.
	Evidence *Evidence
	// Lineage is told what was published and what it was built from; a lineage.Store is one. It can be made anew from the
	// registry. Nil tells nobody.
	Lineage Lineage
	// Notifier is told, once an image was built, that the catalog moved its definition to other bases. The same moves are
	// the same event however often they are built. Best is a notify/outbox, which a dead channel does not slow. Default:
	// nobody is told.
	Notifier notify.Notifier
}

// Registry is what a delivery needs of a registry.
type Registry interface {
	catalog.Facts
	inputs.Resolver
	// Push publishes an index and everything below it, and tags it when all of it is there.
	Push(ctx context.Context, repository string, index v1.ImageIndex, opts registry.PushOptions) (name.Digest, error)
	// Tag sets tags on what was published.
	Tag(ctx context.Context, ref string, tags []string) error
}

// Delivered is what a delivery did. Fields of stages that were not reached are zero.
type Delivered struct {
	Definition *definition.Definition `json:"-"`
	Source     definition.Source      `json:"source,omitzero"`
	Inputs     []catalog.Input        `json:"inputs,omitempty"`
	Plan       *catalog.Plan          `json:"plan,omitempty"`
	// Diff is what is built instead of what the Dockerfile says, as a patch that git apply takes. Where platforms differ it
	// is one patch for each, one after the other.
	Diff string `json:"diff,omitempty"`
	// Findings are those of the catalog and of the rules, sorted.
	Findings []finding.Finding `json:"findings,omitempty"`
	Build    *build.Result     `json:"build,omitempty"`
	// Move is what the catalog moved, with the patch that makes it lasting; nil for nothing. Untold is why the Notifier does
	// not know of it.
	Move    *move.Move        `json:"move,omitempty"`
	Untold  string            `json:"untold,omitempty"`
	Verdict *blackbox.Verdict `json:"verdict,omitempty"`
	// Reference is the published image, "repository@sha256:...".
	Reference string `json:"reference,omitempty"`
	// Unsigned says that the image was published without evidence. Else Evidence is what was signed about it.
	Unsigned bool     `json:"unsigned,omitempty"`
	Evidence []Issued `json:"evidence,omitempty"`
	Records  []Record `json:"records"`
}

// ErrNotTested is why an image without a passing verdict is not published.
var ErrNotTested = errors.New("no scenario tested this image")

// Run delivers: a commit in, a tested and published image out. What was done so far comes back with an error too. The
// error is an [*Error] that names the stage; it wraps a [*finding.GateError] when findings stopped the delivery.
func (d *Delivery) Run(ctx context.Context, run *Run, order Order) (*Delivered, error) {
	out := &Delivered{}
	err := d.stages(ctx, run, order, out)
	out.Records = run.Records()
	return out, err
}

func (d *Delivery) stages(ctx context.Context, run *Run, order Order, out *Delivered) (err error) {
	out.Definition, err = Do(ctx, run, "checkout", func(ctx context.Context) (*definition.Definition, error) {
		if err := errors.Join(order.check(), d.Evidence.check()); err != nil {
			return nil, err
		}
		if order.Files != nil {
			return source.LoadFS(ctx, order.Files, definition.Source{Repository: order.Repository, Ref: order.Ref}, order.Load)
		}
		return source.Load(ctx, order.Repository, order.Ref, order.Load)
	})
	if err != nil {
		return err
	}
	out.Source = out.Definition.Source
	order = order.of(out.Definition)
	out.Inputs, err = Do(ctx, run, "inputs", func(ctx context.Context) ([]catalog.Input, error) {
		return d.inputs(ctx, order, out.Definition)
	})
	if err != nil {
		return err
	}
	out.Plan, err = Do(ctx, run, "bases", func(ctx context.Context) (*catalog.Plan, error) {
		return d.plan(ctx, run, order, out)
	})
	if err != nil {
		return err
	}
	texts, err := Do(ctx, run, "lint", func(ctx context.Context) ([]text, error) {
		return d.judge(ctx, run, order, out)
	})
	if err != nil {
		return err
	}
	out.Build, err = Do(ctx, run, "build", func(ctx context.Context) (*build.Result, error) {
		return d.build(ctx, run, order, out, texts)
	})
	if err != nil {
		return err
	}
	d.tell(ctx, run, order, out)
	if order.BuildOnly {
		return nil
	}
	out.Verdict, err = Do(ctx, run, "test", func(ctx context.Context) (*blackbox.Verdict, error) {
		return d.test(ctx, run, order, out)
	})
	if err != nil || order.Publish == "" {
		return err
	}
	out.Reference, err = Do(ctx, run, "publish", func(ctx context.Context) (string, error) {
		return d.publish(ctx, order, out)
	})
	if out.Unsigned = d.Evidence == nil; err != nil {
		return err
	}
	if err := d.vouch(ctx, run, order, out); err != nil || d.Lineage == nil {
		return err
	}
	_, err = Do(ctx, run, "lineage", func(ctx context.Context) (string, error) {
		return "", d.record(ctx, run, order, out)
	})
	return err
}

// vouch leaves the evidence, and only then the tags.
func (d *Delivery) vouch(ctx context.Context, run *Run, order Order, out *Delivered) (err error) {
	if d.Evidence == nil {
		return nil
	}
	out.Evidence, err = Do(ctx, run, "evidence", func(ctx context.Context) ([]Issued, error) {
		return d.prove(ctx, run, order, out)
	})
	if err != nil || len(order.Tags) == 0 {
		return err
	}
	_, err = Do(ctx, run, "tag", func(ctx context.Context) ([]string, error) {
		return order.Tags, d.Registry.Tag(ctx, out.Reference, order.Tags)
	})
	return err
}

// gate is the severity that stops.
func (d *Delivery) gate() finding.Severity {
	if d.Gate == 0 {
		return finding.Error
	}
	return d.Gate
}

func (d *Delivery) inputs(ctx context.Context, order Order, def *definition.Definition) ([]catalog.Input, error) {
	return inputs.List(ctx, def, inputs.Options{
		Platforms: order.Platforms, Args: order.Args, Target: order.Target, Contexts: def.Build.Contexts, Resolver: d.Registry,
	})
}

func (d *Delivery) plan(ctx context.Context, run *Run, order Order, out *Delivered) (*catalog.Plan, error) {
	plan, err := d.Catalog.Plan(ctx, catalog.Question{
		Project: order.project(out.Source),
		Inputs:  out.Inputs,
		Args:    slices.Sorted(maps.Keys(order.Args)),
		At:      run.now(),
	}, catalog.FactSet{Facts: d.Registry, Signatures: d.Signatures, Packages: d.Packages})
	if err != nil {
		return plan, err
	}
	plan.Findings = out.Definition.Written(plan.Findings)
	out.Inputs = inputs.Written(out.Definition, out.Inputs)
	out.Findings = finding.Sort(append(out.Findings, plan.Findings...))
	return plan, nil
}

// judge adds what the rules find, stops where the gate says so, and returns the definition with every image pinned. The
// gate comes after the rules, so that a developer sees the findings about bases and those of the rules at once.
func (d *Delivery) judge(ctx context.Context, run *Run, order Order, out *Delivered) ([]text, error) {
	cfg := Govern(d.Lint, d.Rules, d.Catalog)
	if cfg.At.IsZero() {
		cfg.At = run.now()
	}
	found, err := lint.Run(out.Definition.File, d.Rules, cfg)
	if err != nil {
		return nil, err
	}
	if found, err = d.Catalog.Suppress(order.project(out.Source), cfg.At, found); err != nil {
		return nil, err
	}
	defer out.written()
	out.Findings = finding.Sort(append(out.Findings, out.Definition.Written(found)...))
	if err := finding.Gate(out.Findings, d.gate()); err != nil {
		return nil, err
	}
	return d.pin(ctx, order, out)
}
