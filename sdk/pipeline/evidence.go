package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Evidence is how a delivery proves what it did: provenance and the verdicts of lint and tests, signed and stored with the
// image before a tag names it. All fields but Packages and Version are required.
type Evidence struct {
	// Signer signs; usually an *attest.Key.
	Signer attest.Signer
	// Store is where the evidence goes; usually an *attest.Store.
	Store Store
	// Builder is the URI that provenance names as builder. Whoever verifies compares it: it stands for this service, its
	// rules and its keys.
	Builder string
	// Version is the program's version, for the record.
	Version string
	// Packages lists what an image carries, as a predicate of its own; sbom.Attest is one. Nil issues no list.
	Packages func(ctx context.Context, platform string, image v1.Image) (predicateType string, predicate any, err error)
}

// Store keeps evidence with an image.
type Store interface {
	Image(ctx context.Context, ref string) (*attest.Image, error)
	Attach(ctx context.Context, image *attest.Image, bundles ...*attest.Bundle) error
}

// check finds what could only fail after the image was published.
func (e *Evidence) check() error {
	if e != nil && (e.Signer == nil || e.Store == nil || e.Builder == "") {
		return errors.New("evidence needs a signer, a store and the builder's id: set all of Evidence, or leave it out")
	}
	return nil
}

// Issued is one statement that was signed and stored.
type Issued struct {
	PredicateType string   `json:"predicateType"`
	Subjects      []string `json:"subjects"` // the digests that it is about
}

// prove signs what this delivery did and stores it with the image.
func (d *Delivery) prove(ctx context.Context, run *Run, order Order, out *Delivered) ([]Issued, error) {
	image, err := d.Evidence.Store.Image(ctx, out.Reference)
	if err != nil {
		return nil, err
	}
	statements, err := d.statements(ctx, run, order, out, image)
	if err != nil {
		return nil, err
	}
	var bundles []*attest.Bundle
	var issued []Issued
	for _, s := range statements {
		bundle, err := s.Sign(ctx, d.Evidence.Signer)
		if err != nil {
			return nil, err
		}
		bundles = append(bundles, bundle)
		about := Issued{PredicateType: s.PredicateType}
		for _, subject := range s.Subject {
			about.Subjects = append(about.Subjects, "sha256:"+subject.Digest["sha256"])
		}
		issued = append(issued, about)
	}
	return issued, d.Evidence.Store.Attach(ctx, image, bundles...)
}

// statements are all that this delivery can say about the image.
func (d *Delivery) statements(ctx context.Context, run *Run, order Order, out *Delivered, image *attest.Image) ([]*attest.Statement, error) {
	all := make([]attest.Subject, 0, len(image.Manifests)+1)
	for _, digest := range image.Digests() {
		all = append(all, attest.NewSubject(image.Repository, digest))
	}
	origin, err := d.provenance(run, order, out)
	if err != nil {
		return nil, err
	}
	var statements []*attest.Statement
	add := func(predicateType string, predicate any, subjects ...attest.Subject) error {
		s, err := attest.NewStatement(predicateType, predicate, subjects...)
		statements = append(statements, s)
		return err
	}
	if err := add(provenance.Type, origin, all...); err != nil {
		return nil, err
	}
	if len(d.Rules) > 0 {
		if err := add(attest.LintResultType, d.lintResult(run, out), all...); err != nil {
			return nil, err
		}
	}
	if err := addTests(out.Verdict, image, all, add); err != nil {
		return nil, err
	}
	if d.Evidence.Packages == nil {
		return statements, nil
	}
	for _, m := range image.Manifests {
		img, err := out.Build.Index.Image(m.Digest)
		if err != nil {
			return nil, err
		}
		predicateType, predicate, err := d.Evidence.Packages(ctx, m.Platform, img)
		if err != nil {
			return nil, fmt.Errorf("packages of %s: %w", m.Platform, err)
		}
		if err := add(predicateType, predicate, attest.NewSubject(image.Repository, m.Digest)); err != nil {
			return nil, err
		}
	}
	return statements, nil
}

// addTests adds one statement about everything when all passed. Else each digest has its own: a platform that passed is not
// marked by another one that could not be run here.
func addTests(verdict *blackbox.Verdict, image *attest.Image, all []attest.Subject, add func(string, any, ...attest.Subject) error) error {
	whole, err := verdict.TestResult(image.Digest)
	if err != nil {
		return err
	}
	if attest.Result(whole.Result) == attest.Passed {
		return add(attest.TestResultType, whole, all...)
	}
	for i, digest := range image.Digests() {
		result, err := verdict.TestResult(digest)
		if err != nil {
			return err
		}
		if err := add(attest.TestResultType, result, all[i]); err != nil {
			return err
		}
	}
	return nil
}

// lintResult is what let the definition through the gate.
func (d *Delivery) lintResult(run *Run, out *Delivered) attest.LintResult {
	sum := sha256.Sum256(out.Definition.File.Src)
	r := attest.LintResult{
		Result: attest.Passed, Gate: d.gate().String(), Definition: out.Source.Dockerfile,
		Digest: "sha256:" + hex.EncodeToString(sum[:]), Catalog: out.Plan.Catalog,
		Findings: map[string]int{}, Suppressed: map[string]int{},
		Tool: "plimsoll", Version: d.Evidence.Version, Finished: run.now().UTC().Truncate(time.Second),
	}
	if finding.Gate(out.Findings, d.gate()) != nil {
		r.Result = attest.Failed // not reached: such a delivery has stopped
	}
	for _, rule := range d.Rules {
		r.Rules = append(r.Rules, rule.ID)
	}
	for _, f := range out.Findings {
		if f.Suppressed != nil {
			r.Suppressed[f.Rule]++
		} else {
			r.Findings[f.Severity.String()]++
		}
	}
	return r
}

// provenance is what SLSA asks of a build.
func (d *Delivery) provenance(run *Run, order Order, out *Delivered) (*provenance.Provenance, error) {
	home := out.Build.Home
	p := &provenance.Provenance{
		BuildDefinition: provenance.BuildDefinition{
			BuildType: provenance.BuildType,
			External: provenance.External{
				Repository: out.Source.Repository, Ref: out.Source.Ref, Commit: out.Source.Commit,
				Directory: out.Source.Directory, Dockerfile: out.Source.Dockerfile,
				Target: order.Target, Platforms: order.Platforms, Args: order.Args, Network: string(order.Network),
			},
			Internal: provenance.Internal{
				Catalog: provenance.Catalog{Digest: out.Plan.Catalog, Version: out.Plan.Version},
				Home: provenance.Home{
					Name: home.Name, Version: home.Version, Executor: home.Executor, Enforces: home.Enforces, Weaknesses: home.Weaknesses,
				},
				Bases: bases(out.Plan),
			},
			Inputs: resources(out),
		},
		RunDetails: provenance.RunDetails{Builder: provenance.Builder{ID: d.Evidence.Builder}},
	}
	if d.Evidence.Version != "" {
		p.RunDetails.Builder.Version = map[string]string{"plimsoll": d.Evidence.Version}
	}
	var stages []provenance.Stage
	for _, r := range run.Records() {
		stages = append(stages, provenance.Stage{Stage: r.Stage, Started: r.Started.UTC(), Duration: r.Duration})
	}
	p.RunDetails.Metadata.InvocationID = order.Invocation
	p.RunDetails.Metadata.Finished = run.now().UTC().Truncate(time.Second)
	if len(stages) > 0 {
		p.RunDetails.Metadata.Started = stages[0].Started.Truncate(time.Second)
	}
	return p, p.SetStages(stages)
}

// bases are the images that stages stand on, for each stage and platform.
func bases(plan *catalog.Plan) []provenance.Base {
	var all []provenance.Base
	for _, decision := range plan.Decisions {
		in := decision.Input
		if in.Role != catalog.RoleBase || !in.Reachable {
			continue
		}
		b := provenance.Base{
			Stage: in.Stage, Platform: in.Platform, Runtime: in.Runtime,
			Requested: provenance.Image{Ref: in.Ref, Digest: in.Digest},
			Effective: provenance.Image{Ref: decision.Effective, Digest: decision.Digest},
			Moved:     decision.Moved, Reason: decision.Reason, Exception: decision.Exception,
		}
		if in.BuiltFor != "" {
			b.Platform, b.ImagePlatform = in.BuiltFor, in.Platform
		}
		all = append(all, b)
	}
	return all
}
