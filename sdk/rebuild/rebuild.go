// Package rebuild moves an image from one base to another: by rebasing it, where that is provably the same as building it
// again, and by building it again where not.
//
// A rebase replaces the base's layers below an image and leaves its own layers as they are. That is a matter of a few
// requests instead of a build, and it is not safe in general: [Judge] allows it only if
//
//   - the old base is proven: by evidence of a grade ([Policy.Grade]), and by the image's own layers;
//   - no build stage stands on the old base as well: what was copied from there would stay old;
//   - the platform is the same, variant and all;
//   - no layer of the image's own touches a package database, or hides or overwrites anything that the new base changed;
//   - no layer of the image's own comes from a RUN step, whose result may depend on what it ran on, unless the owner says
//     that it does not ([Policy.Runs]);
//   - the configurations can be merged three ways without conflict, field by field;
//   - Ops has declared the move to keep the ABI, or nothing in the image can depend on it ([Policy.Compatible]).
//
// The answer is a [Verdict] with every reason against a rebase, not the first one only: it is what a preview shows. Layers
// are read only where nothing else speaks against it ([Needs]).
// [Rebase] makes the image. What it does not do: push, test, attest or move a tag.
//
// All functions are pure but for reading layers, and safe for concurrent use.
package rebuild

import (
	"fmt"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// Verb is what is to be done with an image.
type Verb string

// The verbs.
const (
	// DoRebase: the base's layers can be replaced.
	DoRebase Verb = "rebase"
	// DoRebuild: the image has to be built again from its commit.
	DoRebuild Verb = "rebuild"
)

// Policy is what Ops and the owner say about a move. The zero value allows nothing that is not proven.
type Policy struct {
	// Grade is the least evidence that the image stands on the old base. Default lineage.GradeBuild: our own record of the
	// build, or better. Whoever can push can write annotations, and equal layers are no proof of equal configuration.
	Grade lineage.Grade
	// Runs says that what the image's own RUN steps made does not depend on the base they ran on: the owner's word.
	// Default: a layer of a RUN step means rebuild.
	Runs bool
	// Compatible says that programs linked against the old base run on the new one ("compatible: patch" in the catalog).
	// Default: a change below a directory of shared libraries means rebuild.
	Compatible bool
	// Pinned is the owner's reason for not rebasing this image, if there is one.
	Pinned string
}

func (p Policy) grade() lineage.Grade {
	if p.Grade == lineage.GradeNone {
		return lineage.GradeBuild
	}
	return p.Grade
}

// Verdict is what is to be done with one manifest.
type Verdict struct {
	Verb Verb `json:"verb"`
	// Platform is "os/arch[/variant]".
	Platform string `json:"platform"`
	// Reasons are all that speaks against a rebase; none where Verb is DoRebase.
	Reasons []Reason `json:"reasons,omitempty"`
	// Layers are how many layers are the image's own.
	Layers int `json:"layers"`
}

// Reason is one thing that speaks against a rebase.
type Reason struct {
	// Code is a word for machines: see the constants.
	Code Code `json:"code"`
	// Layer is the number of the image's layer, from 1; 0 where no layer is meant.
	Layer int `json:"layer,omitempty"`
	// Path is the file, or the field of the configuration ("config.Env.PATH").
	Path string `json:"path,omitempty"`
	// Text says it in words, both sides named.
	Text string `json:"text"`
}

// Code names a kind of reason.
type Code string

// The codes.
const (
	Unproven       Code = "unproven"         // no evidence of the wanted grade
	NotOnBase      Code = "not-on-base"      // its layers do not begin with the old base's
	OtherPlatform  Code = "other-platform"   // image, old and new base differ in platform
	Damaged        Code = "damaged"          // configuration and layers of the image contradict each other
	NoHistory      Code = "no-history"       // which step made which layer is not known
	BuildStage     Code = "build-stage"      // the old base may have built what was copied
	FromRun        Code = "run-step"         // a layer was made by a RUN step
	PackageState   Code = "package-database" // a layer has a package database
	Overlap        Code = "overlap"          // a layer has or hides what the new base changed
	ConfigConflict Code = "config-conflict"  // both changed the same field
	ABI            Code = "abi"              // libraries changed, and nobody says that they are compatible
	ForeignLayer   Code = "foreign-layer"    // a layer that registries do not have
	Pinned         Code = "pinned"           // the owner does not want it
	Unreadable     Code = "unreadable"       // it could not be read, so that nothing is known
)

// String is the reason in one line.
func (r Reason) String() string {
	var b strings.Builder
	if r.Layer > 0 {
		fmt.Fprintf(&b, "layer %d: ", r.Layer)
	}
	if r.Path != "" {
		fmt.Fprintf(&b, "%s: ", r.Path)
	}
	b.WriteString(r.Text)
	return b.String()
}
