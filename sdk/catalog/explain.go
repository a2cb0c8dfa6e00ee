package catalog

import (
	"fmt"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Explanation says why a decision is as it is, for people (String) and programs (JSON).
type Explanation struct {
	// Question is what was asked: "FROM docker.io/library/debian:12 for linux/amd64".
	Question string `json:"question"`
	// Place is where the definition asks.
	Place finding.Place `json:"place"`
	// Answer is "allowed", "denied", or "moved to ...".
	Answer string `json:"answer"`
	// Rule is the id and title of the rule that denied.
	Rule string `json:"rule,omitempty"`
	// Evidence is how that came about, step by step.
	Evidence []Evidence `json:"evidence"`
	// Ask is whom to ask, with the way to reach them where the catalog knows it.
	Ask string `json:"ask"`
	// Exception is the YAML of an exception that would allow it, to be completed by whoever approves it; empty when none is
	// needed or none would help.
	Exception string `json:"exception,omitempty"`
}

// Explain says why a decision of this catalog is as it is: the rule, the evidence, whom to ask and the exception that
// would help.
func (c *Catalog) Explain(project Project, d Decision) Explanation {
	e := Explanation{
		Question: fmt.Sprintf("%s %s for %s", what(d.Input), d.Input.Ref, d.Input.Platform),
		Place:    d.Input.Place, Answer: "allowed", Evidence: d.Evidence, Ask: c.contact(d.Owner),
	}
	switch {
	case !d.Allowed:
		e.Answer, e.Rule = "denied", d.Rule
		for _, r := range rules {
			if r.id == d.Rule {
				e.Rule += ": " + r.title
			}
		}
		e.Exception = c.exceptionFor(project, d)
	case d.Moved:
		e.Answer = "moved to " + d.Effective
		if d.Digest != "" && !strings.Contains(d.Effective, "@") {
			e.Answer += "@" + d.Digest
		}
	}
	return e
}

// exceptionFor drafts the exception that would allow what a decision denies.
func (c *Catalog) exceptionFor(project Project, d Decision) string {
	ref, err := parseReference(d.Input.Ref)
	if d.Input.Kind != KindImage || err != nil || d.Rule == RuleUnresolved || d.Rule == RuleContext {
		return "" // other sources get a rule of their own, and nothing helps against what can't be read
	}
	scope := "{ban: " + d.Ban + "}"
	if d.Ban == "" {
		which := "tags: [" + quote(ref.tag) + "]"
		if d.Rule == RulePinMismatch || ref.tag == "" {
			which = "digests: [" + d.Input.Digest + "]"
		}
		if d.Rule == RulePinMismatch {
			which = "tags: [" + quote(ref.tag) + "], " + which
		}
		scope = "{image: {repository: " + ref.repository + ", " + which + "}}"
	}
	where := "{repository: " + quote(project.Repository)
	if project.Directory != "" && project.Directory != "." {
		where += ", path: " + quote(project.Directory)
	}
	return strings.Join([]string{
		"exceptions:",
		"  - id: # a new one",
		"    project: " + where + "}",
		"    scope: " + scope,
		"    reason: # why it is needed",
		"    owner: # who needs it",
		"    approver: # " + c.contact(d.Owner),
		"    until: # a date",
	}, "\n") + "\n"
}

func quote(s string) string { return fmt.Sprintf("%q", s) }

// String is the explanation as lines of text.
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s", e.Place, e.Question, e.Answer)
	if e.Rule != "" {
		fmt.Fprintf(&b, " (%s)", e.Rule)
	}
	b.WriteByte('\n')
	for i, step := range e.Evidence {
		fmt.Fprintf(&b, "  %d. %s", i+1, step.Text)
		if step.Place.File != "" {
			fmt.Fprintf(&b, " [%s]", step.Place)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "  ask %s\n", e.Ask)
	if e.Exception != "" {
		b.WriteString("  an exception would help:\n\n")
		for line := range strings.Lines(e.Exception) {
			b.WriteString("    " + line)
		}
	}
	return b.String()
}
