package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
)

// ReplacementType is the predicate type of a [Replaced].
const ReplacementType = "https://plimsoll.dev/attestation/replacement/v1"

// Replaced says which image another one takes the place of, how and why.
type Replaced struct {
	// How is "rebase" or "rebuild".
	How rebuild.Verb `json:"how"`
	// From is the digest of the image that was; its manifests by platform are in Manifests.
	From string `json:"rebasedFrom"`
	// Because is the id of the ban or campaign, Reason what people said about it.
	Because string `json:"becauseOf"`
	Reason  string `json:"reason,omitempty"`
	// OldBase and NewBase are references by digest.
	OldBase  string    `json:"oldBase,omitempty"`
	NewBase  string    `json:"newBase,omitempty"`
	Finished time.Time `json:"finishedOn"`
}

// Evidence issues anew what was said of an image that was rebased: what is signed about the old digest says nothing about
// the new one. All fields are required.
//
// Provenance is carried over with its bases replaced and the old image among its inputs, the verdict of lint as it was: both
// only if somebody trusted had signed them. The verdict of the tests is new. The last thing is a [Replaced], also about
// rebuilt images.
type Evidence struct {
	Signer attest.Signer
	Store  *attest.Store
	// Trust says whose statements about the old image count, and whose about the new one need not be made again.
	Trust attest.Verifier
	// Builder is the URI that provenance names as builder.
	Builder string
	Now     func() time.Time
}

// issue leaves what is missing of the evidence about a new image. It may be called again.
func (e *Evidence) issue(ctx context.Context, run *run, plan *rebuild.Plan, verdict *blackbox.Verdict, reference string) error {
	image, err := e.Store.Image(ctx, reference)
	if err != nil {
		return err
	}
	j := &issuing{Evidence: e, run: run, image: image}
	for _, digest := range image.Digests() {
		j.subjects = append(j.subjects, attest.NewSubject(image.Repository, digest))
	}
	if j.have, err = e.said(ctx, image, image.Digest); err != nil {
		return err
	}
	if plan != nil {
		if err := j.carry(ctx); err != nil {
			return err
		}
	}
	if err := j.tests(verdict); err != nil {
		return err
	}
	how := rebuild.DoRebuild
	if plan != nil {
		how = rebuild.DoRebase
	}
	if err := j.add(ReplacementType, Replaced{
		How: how, From: run.Digest, Because: run.campaign, Reason: run.because, OldBase: run.From, NewBase: run.To, Finished: e.now(),
	}); err != nil {
		return err
	}
	var bundles []*attest.Bundle
	for _, s := range j.statements {
		bundle, err := s.Sign(ctx, e.Signer)
		if err != nil {
			return err
		}
		bundles = append(bundles, bundle)
	}
	// What an earlier attempt left may be there for some of the digests only. The same bundle twice is one.
	return e.Store.Attach(ctx, image, append(bundles, j.again...)...)
}

func (e *Evidence) now() time.Time { return e.Now().UTC().Truncate(time.Second) }

// types are the predicate types that are looked at.
var types = []string{provenance.Type, attest.LintResultType, attest.TestResultType, ReplacementType}

// statement is one with what signed it.
type statement struct {
	*attest.Statement
	bundle *attest.Bundle
}

// said returns what somebody trusted said about a digest, by predicate type: the last of each.
func (e *Evidence) said(ctx context.Context, image *attest.Image, about v1.Hash) (map[string]*statement, error) {
	bundles, err := e.Store.Bundles(ctx, image, types)
	if err != nil {
		return nil, err
	}
	said := map[string]*statement{}
	for _, b := range bundles {
		if _, err := e.Trust.Verify(ctx, b, e.Now()); err != nil {
			continue // whoever said it, we do not repeat it
		}
		s, err := b.UnverifiedStatement()
		if err != nil || !s.About(about) {
			continue
		}
		said[s.PredicateType] = &statement{s, b}
	}
	return said, nil
}

type issuing struct {
	*Evidence

	run        *run
	image      *attest.Image
	subjects   []attest.Subject
	have       map[string]*statement
	statements []*attest.Statement
	again      []*attest.Bundle // that an earlier attempt signed
}

// add makes a statement, unless an earlier attempt has left it.
func (j *issuing) add(predicateType string, predicate any) error {
	if have := j.have[predicateType]; have != nil {
		j.again = append(j.again, have.bundle)
		return nil
	}
	s, err := attest.NewStatement(predicateType, predicate, j.subjects...)
	j.statements = append(j.statements, s)
	return err
}

// carry takes over what holds of the new image as well.
func (j *issuing) carry(ctx context.Context) error {
	old, err := j.Store.Image(ctx, j.run.Reference())
	if err != nil {
		return err
	}
	said, err := j.said(ctx, old, old.Digest)
	if err != nil {
		return err
	}
	if s := said[attest.LintResultType]; s != nil {
		if err := j.add(attest.LintResultType, s.Predicate); err != nil {
			return err
		}
	}
	s := said[provenance.Type]
	if s == nil {
		return nil
	}
	p, err := provenance.Parse(s.Predicate)
	if err != nil {
		return fmt.Errorf("the provenance of %s: %w", old.Reference(), err)
	}
	j.rebase(p)
	return j.add(provenance.Type, p)
}

// rebase makes a provenance that of the rebased image.
func (j *issuing) rebase(p *provenance.Provenance) {
	run := j.run
	from, to := digestOf(run.From), digestOf(run.To)
	bases := p.BuildDefinition.Internal.Bases
	for i := range bases {
		if b := &bases[i]; b.Runtime && b.Effective.Digest == from {
			b.Effective, b.Moved, b.Reason = provenance.Image{Ref: run.ToName, Digest: to}, true, "rebased because of "+run.campaign
		}
	}
	inputs := slices.DeleteFunc(p.BuildDefinition.Inputs, func(r provenance.Resource) bool { return "sha256:"+r.Digest["sha256"] == from })
	p.BuildDefinition.Inputs = append(
		inputs, resource("base", run.ToName, to),
		resource("rebased from", run.Repository, run.Digest),
	)
	last := &p.BuildDefinition.Inputs[len(p.BuildDefinition.Inputs)-1]
	last.Annotations = map[string]any{rebuild.AnnotationFrom: run.Digest, rebuild.AnnotationBecause: run.campaign}
	p.RunDetails = provenance.RunDetails{
		Builder:  provenance.Builder{ID: j.Builder},
		Metadata: provenance.Metadata{InvocationID: run.campaign + "/" + run.ID, Started: j.now(), Finished: j.now()},
	}
}

func resource(name, ref, digest string) provenance.Resource {
	return provenance.Resource{
		Name: name, URI: provenance.ImageURI(ref, ""), Digest: map[string]string{"sha256": digest[len("sha256:"):]},
	}
}

// tests adds the verdict about the new image.
func (j *issuing) tests(verdict *blackbox.Verdict) error {
	if verdict == nil {
		return nil
	}
	result, err := verdict.TestResult(j.image.Digest)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return j.add(attest.TestResultType, json.RawMessage(raw))
}
