// Package provenance is how an image came about, as SLSA has it: who built it, from which commit, out of what. It is the
// predicate of an in-toto statement; package attest signs and verifies those.
//
//	p, err := provenance.Parse(statement.Predicate)
//	for _, base := range p.Bases() { ... }
//
// Provenance of other builders is read too, so far as the specification goes; what only Plimsoll records (bases, catalog,
// stages) is empty then.
package provenance

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Type is the predicate type, BuildType says that the parameters are Plimsoll's
// (https://slsa.dev/spec/v1.1/provenance).
const (
	Type      = "https://slsa.dev/provenance/v1"
	BuildType = "https://plimsoll.dev/build/delivery/v1"
)

// Provenance is SLSA's predicate.
type Provenance struct {
	BuildDefinition BuildDefinition `json:"buildDefinition"`
	RunDetails      RunDetails      `json:"runDetails"`
}

// BuildDefinition is all that went into a build.
type BuildDefinition struct {
	BuildType string `json:"buildType"`
	// External is what the caller asked for, Internal what the builder decided. Both are zero for another BuildType.
	External External `json:"externalParameters"`
	Internal Internal `json:"internalParameters,omitzero"`
	// Inputs are everything that was read: the source at its commit first, then each image, repository and file.
	Inputs []Resource `json:"resolvedDependencies,omitempty"`
}

// External are the parameters of a delivery that its caller chose.
type External struct {
	Repository string            `json:"repository,omitempty"` // URL, without credentials
	Ref        string            `json:"ref,omitempty"`        // what was asked for: a branch, a tag, a commit
	Commit     string            `json:"commit,omitempty"`     // what that meant
	Directory  string            `json:"directory,omitempty"`
	Dockerfile string            `json:"dockerfile,omitempty"`
	Target     string            `json:"target,omitempty"`
	Platforms  []string          `json:"platforms,omitempty"`
	Args       map[string]string `json:"args,omitempty"`
	Network    string            `json:"network,omitempty"`
}

// Internal are the parameters that Ops chose.
type Internal struct {
	Catalog Catalog `json:"catalog,omitzero"`
	Home    Home    `json:"home,omitzero"`
	// Bases are the images that stages stand on, for each stage and platform.
	Bases []Base `json:"bases,omitempty"`
}

// Catalog is which catalog decided.
type Catalog struct {
	Digest  string `json:"digest"`
	Version string `json:"version,omitempty"`
}

// Home is where the build ran, and what it could not do there.
type Home struct {
	Name       string   `json:"name"`
	Version    string   `json:"version,omitempty"`
	Executor   string   `json:"executor,omitempty"`
	Enforces   bool     `json:"enforces"` // the engine itself denied what was not listed
	Weaknesses []string `json:"weaknesses,omitempty"`
}

// Base is an image that a stage stands on, on one platform.
type Base struct {
	Stage string `json:"stage"`
	// Platform is the build's target platform, ImagePlatform the base's when that is another.
	Platform      string `json:"platform"`
	ImagePlatform string `json:"imagePlatform,omitempty"`
	// Runtime says that the image's own layers stand on it; false for a stage that is only built in or copied from.
	Runtime bool `json:"runtime"`
	// Requested is what the definition says, Effective what the catalog made of it: the same unless Moved.
	Requested Image  `json:"requested"`
	Effective Image  `json:"effective"`
	Moved     bool   `json:"moved,omitempty"`
	Reason    string `json:"reason,omitempty"`    // why it was moved
	Exception string `json:"exception,omitempty"` // the id of the exception that allowed it
}

// Image names an image by its full reference and the digest that it had.
type Image struct {
	Ref    string `json:"ref"`
	Digest string `json:"digest"`
}

// RunDetails is who built it and when.
type RunDetails struct {
	Builder    Builder    `json:"builder"`
	Metadata   Metadata   `json:"metadata,omitzero"`
	Byproducts []Resource `json:"byproducts,omitempty"`
}

// Builder is who vouches for the build: a URI that stands for a service with its own rules and keys.
type Builder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

// Metadata is about one execution.
type Metadata struct {
	InvocationID string    `json:"invocationId,omitempty"`
	Started      time.Time `json:"startedOn,omitzero"`
	Finished     time.Time `json:"finishedOn,omitzero"`
}

// Resource is in-toto's ResourceDescriptor
// (https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md).
type Resource struct {
	Name        string            `json:"name,omitempty"`
	URI         string            `json:"uri,omitempty"`
	Digest      map[string]string `json:"digest,omitempty"`
	MediaType   string            `json:"mediaType,omitempty"`
	Content     []byte            `json:"content,omitempty"`
	Annotations map[string]any    `json:"annotations,omitempty"`
}

// ErrMalformed says that a predicate is no provenance.
var ErrMalformed = errors.New("malformed provenance")

// Parse reads the predicate of a statement whose type is [Type]. The error wraps [ErrMalformed].
func Parse(predicate []byte) (*Provenance, error) {
	p := &Provenance{}
	if err := json.Unmarshal(predicate, p); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch {
	case p.BuildDefinition.BuildType == "":
		return nil, fmt.Errorf("%w: it has no build type", ErrMalformed)
	case p.RunDetails.Builder.ID == "":
		return nil, fmt.Errorf("%w: it has no builder id", ErrMalformed)
	}
	return p, nil
}

// UnmarshalJSON reads the parameters only where they are Plimsoll's: other builders have others of the same names.
func (d *BuildDefinition) UnmarshalJSON(raw []byte) error {
	var common struct {
		BuildType string          `json:"buildType"`
		External  json.RawMessage `json:"externalParameters"`
		Internal  json.RawMessage `json:"internalParameters"`
		Inputs    []Resource      `json:"resolvedDependencies"`
	}
	if err := json.Unmarshal(raw, &common); err != nil {
		return err
	}
	*d = BuildDefinition{BuildType: common.BuildType, Inputs: common.Inputs}
	if d.BuildType != BuildType {
		return nil
	}
	if err := json.Unmarshal(common.External, &d.External); err != nil {
		return err
	}
	if common.Internal == nil {
		return nil
	}
	return json.Unmarshal(common.Internal, &d.Internal)
}

// Bases are the images that stages stand on; nil when another builder made the provenance.
func (p *Provenance) Bases() []Base { return p.BuildDefinition.Internal.Bases }

// Source returns the repository and the commit that was built: the parameters of a delivery, or else the first input that
// has a commit. Both are empty when neither says.
func (p *Provenance) Source() (repository, commit string) {
	if e := p.BuildDefinition.External; e.Repository != "" {
		return e.Repository, e.Commit
	}
	for _, in := range p.BuildDefinition.Inputs {
		for _, algorithm := range []string{"gitCommit", "sha1"} { // sha1 is what BuildKit writes
			if commit := in.Digest[algorithm]; commit != "" {
				return sourceOf(in.URI), commit
			}
		}
	}
	return "", ""
}
