package catalog

import (
	"context"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Facts answers what the catalog can't know by itself. Package registry's client implements it.
// Implementations are safe for concurrent use.
type Facts interface {
	// Resolve returns the digest ("sha256:...") that a full image reference means now.
	Resolve(ctx context.Context, ref string) (digest string, err error)
	// Tags lists all tags of a repository ("docker.io/library/debian").
	Tags(ctx context.Context, repository string) ([]string, error)
}

// Project is on whose behalf a plan is made. Exceptions are matched against it.
type Project struct {
	// Repository is the source repository's URL, Directory the definition's path in it.
	Repository string            `json:"repository"`
	Directory  string            `json:"directory,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
}

// Question is what a plan answers. All fields are facts; nothing else is looked at but Facts.
type Question struct {
	Project Project
	Inputs  []Input
	// At is the time for states, exceptions and cool-downs.
	At time.Time
}

// Plan is the catalog's answer for one definition: a decision for each input, and findings for those that are denied,
// moved or need attention. Gate the findings before building.
type Plan struct {
	// Catalog is the digest of the catalog's canonical form and Version what its author wrote, for the record.
	Catalog   string            `json:"catalog"`
	Version   string            `json:"version,omitempty"`
	Decisions []Decision        `json:"decisions"`
	Findings  []finding.Finding `json:"findings,omitempty"`
}

// Decision is the answer for one input.
type Decision struct {
	Input Input `json:"input"`
	// Allowed is false unless an entry (or an exception) allows the effective reference on this platform.
	Allowed bool `json:"allowed"`
	// Entry names the entry that decided: its place in the catalog file, "catalog.yaml:12:5".
	Entry string `json:"entry,omitempty"`
	// Effective is what the build reads: Input.Ref, or what a substitution made of it; Digest what that means.
	Effective string `json:"effective"`
	Digest    string `json:"digest,omitempty"`
	// Moved says that Effective is another image than was asked for; Reason is the substitution's.
	Moved  bool   `json:"moved,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Owner is whom to ask about the entry.
	Owner string `json:"owner,omitempty"`
}
