// Package admission answers one question, just before an instance starts: may this image run here, now? It answers
// locally, from a signed deny bundle (package bundle), so it needs no network and a registry that is down stops nobody.
//
//	gate := admission.NewGate(admission.Options{Bundles: held, Policy: policy})
//	decision := gate.Decide(ctx, admission.Image{Ref: "registry.example/shop/pay:1.4", Digests: digests})
//	if err := decision.Err(); err != nil {
//		return err // says which ban, along which path of images, and what to do instead
//	}
//
// Digests decide: a gate is given all that an image is known by (manifest, config, index; the layers' diff IDs too, if
// they are at hand) and denies if any of them is denied, of an index's platforms the one that runs. Names are for messages. An error denies: an image that can't be
// identified, a bundle that is missing, expired or damaged, evidence that can't be had. Who must start something all the
// same brings a [Permit], signed, for one digest and a short time, and it is in the audit log before the start.
//
// Where the question is asked is in the packages beside this one: run (a wrapper of docker run and podman run), nri
// (containerd), webhook (Kubernetes), dockerauthz (Docker's API and events), verifier (containerd's pull) and sweep (what
// runs already). Package agent keeps the bundle fresh. The webhook speaks JSON, so nothing here imports Kubernetes.
package admission

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Image is what is about to start.
type Image struct {
	// Ref is how it was asked for, for messages: "registry.example/shop/pay:1.4". It decides nothing.
	Ref string `json:"ref,omitempty"`
	// Digests are what the image is known by: of its manifest, its config (Docker's image id), or what there is.
	Digests []string `json:"digests"`
	// Indexes are digests that it is named by and that may be an index's, so also stand for other platforms' images. They
	// decide only if none of Digests is in the bundle: an image is denied when its own platform is, and not another's.
	Indexes []string `json:"indexes,omitempty"`
	// Layers are the diff IDs of its layers from the lowest up, if they are at hand. By them an image that nobody has
	// recorded, such as one that was committed or loaded, is recognised as standing on a banned base.
	Layers []string `json:"layers,omitempty"`
}

// Name is how messages call the image: the reference, with a digest if it has none itself.
func (i Image) Name() string {
	digest := ""
	if all := i.all(); len(all) > 0 {
		digest = all[0]
	}
	switch {
	case i.Ref == "" || i.Ref == digest:
		return digest
	case digest == "" || strings.Contains(i.Ref, "@"):
		return i.Ref
	}
	return i.Ref + "@" + digest
}

func (i Image) all() []string { return slices.Concat(i.Digests, i.Indexes) }

// Outcome is what a gate says.
type Outcome string

// The outcomes. The zero value is none of them, and is taken as a denial.
const (
	Allowed Outcome = "allowed"
	Warned  Outcome = "warned" // it may start, and somebody should know why it soon may not
	Denied  Outcome = "denied"
)

// Decision is a gate's answer.
type Decision struct {
	Outcome Outcome `json:"outcome"`
	Image   Image   `json:"image"`
	// Findings are the reasons, worst first: errors denied it unless Permit is set.
	Findings []finding.Finding `json:"findings,omitempty"`
	// Bans are those that concern the image now, with the path from it to what each names.
	Bans []Hit `json:"bans,omitempty"`
	// Permit is the id of the break-glass permit that let it start in spite of its findings.
	Permit string `json:"permit,omitempty"`
	// Bundle says what was decided by.
	Bundle BundleInfo `json:"bundle,omitzero"`
	At     time.Time  `json:"at"`
}

// Instance is a container that runs, or is about to.
type Instance struct {
	// Place is where: "docker://host". ID and Name are its own there.
	Place string    `json:"place,omitempty"`
	ID    string    `json:"id"`
	Name  string    `json:"name,omitempty"`
	Image Image     `json:"image"`
	Since time.Time `json:"since,omitzero"`
}

// Hit is a ban that concerns an image.
type Hit struct {
	Ban     bundle.Ban `json:"ban"`
	Outcome Outcome    `json:"outcome"` // Warned before the ban's DenyFrom
	// Digest is the one that was found; of the image, or the ChainID of its lowest layers.
	Digest string `json:"digest"`
	// Path leads from the image down to what the ban names; empty when it is named itself.
	Path []bundle.Step `json:"path,omitempty"`
}

// BundleInfo is which bundle a decision rests on.
type BundleInfo struct {
	Name    string    `json:"name"`
	Version uint64    `json:"version"`
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
}

// ErrDenied is in the error of every decision that denies.
var ErrDenied = errors.New("denied")

// DeniedError says why an image may not start.
type DeniedError struct {
	Decision Decision
}

// Error is the first reason and its way out, in one line.
func (e *DeniedError) Error() string {
	d := e.Decision
	if len(d.Findings) == 0 {
		return fmt.Sprintf("%s may not start: nothing says that it may", d.Image.Name())
	}
	f := d.Findings[0]
	s := fmt.Sprintf("%s may not start: %s (%s)", d.Image.Name(), f.Message, f.Rule)
	if f.Help != "" {
		s += "; " + f.Help
	}
	if more := len(d.Findings) - 1; more > 0 {
		s += fmt.Sprintf(" [and %d more]", more)
	}
	return s
}

// Unwrap returns [ErrDenied].
func (e *DeniedError) Unwrap() error { return ErrDenied }

// Err returns nil if the image may start, and a [*DeniedError] if not.
func (d Decision) Err() error {
	if d.Outcome == Allowed || d.Outcome == Warned {
		return nil
	}
	return &DeniedError{Decision: d}
}

// String is one line: the outcome, the image and the reasons.
func (d Decision) String() string {
	parts := []string{fmt.Sprintf("%s: %s", d.Outcome, d.Image.Name())}
	if d.Permit != "" {
		parts = append(parts, "by permit "+d.Permit)
	}
	for _, f := range d.Findings {
		part := fmt.Sprintf("%s (%s)", f.Message, f.Rule)
		if f.Help != "" {
			part += "; " + f.Help
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ": ")
}
