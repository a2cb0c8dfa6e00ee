package catalog

import (
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Question is what a plan answers. All fields are facts; nothing else is looked at but Facts.
type Question struct {
	Project Project
	Inputs  []Input
	// Args are the names of the build arguments that the caller sets. Reserved ones are refused.
	Args []string
	// At is the time for states, exceptions, bans and cool-downs.
	At time.Time
}

// Plan is the catalog's answer for one definition: a decision for each input, and findings for those that are denied,
// moved or need attention. Gate the findings before building.
type Plan struct {
	// Catalog is the digest of the catalog's canonical form and Version what its author wrote, for the record.
	Catalog string `json:"catalog"`
	Version string `json:"version,omitempty"`
	// Origin is where the catalog is from, when that is a registry.
	Origin Origin `json:"origin,omitzero"`
	// Decisions are one for each input, in the order of the question.
	Decisions []Decision        `json:"decisions"`
	Findings  []finding.Finding `json:"findings,omitempty"`
	// Exceptions are those that were in force for the project, used or not.
	Exceptions []ExceptionUse `json:"exceptions,omitempty"`
}

// Decision is the answer for one input.
type Decision struct {
	Input Input `json:"input"`
	// Allowed is false unless an entry (or an exception) allows the effective reference on this platform.
	Allowed bool `json:"allowed"`
	// Rule is the id of the rule that denied it.
	Rule string `json:"rule,omitempty"`
	// Entry names the entry that decided: its place in the catalog file, "catalog.yaml:12:5".
	Entry string `json:"entry,omitempty"`
	// Ban is the id of the ban that denied it.
	Ban string `json:"ban,omitempty"`
	// Exception is the id of the exception that allowed it.
	Exception string `json:"exception,omitempty"`
	// Effective is what the build reads: Input.Ref, or what a substitution made of it; Digest what that means.
	Effective string `json:"effective"`
	Digest    string `json:"digest,omitempty"`
	// Moved says that Effective is another image than was asked for; Reason is the substitution's.
	Moved  bool   `json:"moved,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Owner is whom to ask about the entry.
	Owner string `json:"owner,omitempty"`
	// Evidence is how the decision came about, step by step.
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Evidence is one step of a decision.
type Evidence struct {
	// Place is what said so: in the catalog, or in the definition. Zero for what a registry said.
	Place finding.Place `json:"place,omitzero"`
	Text  string        `json:"text"`
}

// ExceptionUse says how often a plan needed an exception.
type ExceptionUse struct {
	ID    string        `json:"id"`
	Place finding.Place `json:"place"`
	Until Date          `json:"until"`
	// Uses counts inputs. Exceptions from rules outside this package are counted by [Catalog.Suppress].
	Uses int `json:"uses"`
}
