// Package finding is what every check of Plimsoll reports: a rule, a severity, the place, a message and, where one is
// safe, a fix.
//
// A finding is an answer ("this base is not in the catalog"); an error means that the question could not be answered.
// Only [Gate] turns findings into an error, so every check can be looked at without failing, and the decision what
// fails is made in one place.
//
// The package imports nothing but the standard library. Its types are plain values: they may be copied, compared with
// go-cmp and marshalled to JSON; the JSON field names are stable within a major version (see package report for the
// published schema).
package finding

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Severity says how bad a finding is. The zero value is unset and invalid: a rule that forgot its severity is found
// by its own tests instead of passing as harmless.
type Severity int

// The severities, from harmless to blocking.
const (
	Info    Severity = iota + 1 // worth knowing; never fails a gate unless asked to
	Warning                     // should be changed; fails a gate set to Warning
	Error                       // must be changed; fails the default gate
)

var severityNames = [...]string{Info: "info", Warning: "warning", Error: "error"}

// String returns "info", "warning" or "error", and "severity(n)" for an invalid value.
func (s Severity) String() string {
	if s < Info || s > Error {
		return fmt.Sprintf("severity(%d)", int(s))
	}
	return severityNames[s]
}

// MarshalText writes the name; an invalid severity is an error, so that it can't be stored.
func (s Severity) MarshalText() ([]byte, error) {
	if s < Info || s > Error {
		return nil, fmt.Errorf("severity %d is not one of info, warning, error", int(s))
	}
	return []byte(severityNames[s]), nil
}

// UnmarshalText reads the names that String writes; anything else is an error.
func (s *Severity) UnmarshalText(text []byte) error {
	i := slices.Index(severityNames[:], string(text))
	if i < int(Info) {
		return fmt.Errorf("severity %q is not one of info, warning, error", text)
	}
	*s = Severity(i)
	return nil
}

// Position is a point in a source file. Line and Column count from 1, Column in bytes (not runes: editors and SARIF
// viewers that count otherwise are served by package report); Offset counts bytes from 0. A byte order mark counts in
// Offset and not in Column. The zero value is "unknown".
type Position struct {
	Line   int `json:"line"`
	Column int `json:"column,omitempty"`
	Offset int `json:"offset,omitempty"`
}

// Place is where a finding is: a range in a file, or a path in an image. Exactly one of File and Image is set.
type Place struct {
	// File is the path relative to the root of the definition, with slashes.
	File string `json:"file,omitempty"`
	// Start is the first byte, End the one after the last. Both are zero when the whole file is meant.
	Start Position `json:"start,omitzero"`
	End   Position `json:"end,omitzero"`
	// Image is a reference with digest, Path what is meant inside it ("config.User", "/etc/passwd").
	Image string `json:"image,omitempty"`
	Path  string `json:"path,omitempty"`
}

// String returns the form that editors know, "Dockerfile:3:9", or "registry/repo@sha256:...#config.User" for an image.
func (p Place) String() string {
	var b strings.Builder
	switch {
	case p.Image != "":
		b.WriteString(p.Image)
		if p.Path != "" {
			b.WriteString("#" + p.Path)
		}
	case p.File == "":
		return "-"
	default:
		b.WriteString(p.File)
		if p.Start.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Start.Line)
			if p.Start.Column > 0 {
				fmt.Fprintf(&b, ":%d", p.Start.Column)
			}
		}
	}
	return b.String()
}

// Edit replaces the bytes [Start, End) of File by New. Offsets count in the file as it was read.
type Edit struct {
	File  string `json:"file"`
	Start int    `json:"start"`
	End   int    `json:"end"`
	New   string `json:"new"`
}

// Fix is one way to make a finding vanish. Its edits do not overlap.
type Fix struct {
	// Message is a verb phrase: "pin debian:12 by digest".
	Message string `json:"message"`
	Edits   []Edit `json:"edits"`
}

// Related is another place that explains a finding, such as the ARG that a FROM takes its value from.
type Related struct {
	Place   Place  `json:"place"`
	Message string `json:"message"`
}

// Suppression says why a finding does not count. Suppressed findings stay in the report.
type Suppression struct {
	// Kind is "inline" (a comment in the source), "exception" (the catalog) or "baseline".
	Kind string `json:"kind"`
	// Reason is what its author wrote.
	Reason string `json:"reason"`
	// Until is when it ends; zero means that it does not.
	Until time.Time `json:"until,omitzero"`
}

// Finding is one answer of one rule.
type Finding struct {
	// Rule is the id, two letters and four digits (DF1002), never reused and never renumbered.
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Place    Place    `json:"place"`
	// Message names both sides: what is there and what should be.
	Message string `json:"message"`
	// Help is what to do next, when the message does not say so already.
	Help string `json:"help,omitempty"`
	// URL is the rule's page.
	URL        string       `json:"url,omitempty"`
	Fixes      []Fix        `json:"fixes,omitempty"`
	Related    []Related    `json:"related,omitempty"`
	Suppressed *Suppression `json:"suppressed,omitempty"`
	// Secret says that there is a secret at the place or beside it: reports mask the lines that they would quote.
	Secret bool `json:"secret,omitempty"`
}

// String returns the printed form: `Dockerfile:3:9: error: base image "debian:12" is not pinned (DF1002)`.
func (f Finding) String() string {
	s := fmt.Sprintf("%s: %s: %s (%s)", f.Place, f.Severity, f.Message, f.Rule)
	if f.Suppressed != nil {
		s += fmt.Sprintf(" [suppressed: %s]", f.Suppressed.Reason)
	}
	return s
}

// Compare orders findings by place, then severity (worst first), then rule and message. It is a total order on
// what is printed, so that two runs over the same source print the same.
func Compare(a, b Finding) int {
	order := []int{
		strings.Compare(a.Place.File, b.Place.File),
		strings.Compare(a.Place.Image, b.Place.Image),
		strings.Compare(a.Place.Path, b.Place.Path),
		a.Place.Start.Line - b.Place.Start.Line,
		a.Place.Start.Column - b.Place.Start.Column,
		int(b.Severity) - int(a.Severity),
		strings.Compare(a.Rule, b.Rule),
		strings.Compare(a.Message, b.Message),
	}
	for _, c := range order {
		if c != 0 {
			return c
		}
	}
	return 0
}

// Sort puts findings in the order of [Compare] and drops exact repetitions (same rule, place and message).
func Sort(findings []Finding) []Finding {
	slices.SortStableFunc(findings, Compare)
	return slices.CompactFunc(findings, func(a, b Finding) bool { return Compare(a, b) == 0 })
}

// GateError is what [Gate] returns: the findings that do not pass.
type GateError struct {
	At       Severity
	Findings []Finding
}

// Error counts the findings and shows the first.
func (e *GateError) Error() string {
	switch len(e.Findings) {
	case 0:
		return fmt.Sprintf("no findings at or above %s", e.At)
	case 1:
		return e.Findings[0].String()
	default:
		return fmt.Sprintf("%d findings at or above %s; the first: %s", len(e.Findings), e.At, e.Findings[0])
	}
}

// Gate returns a [*GateError] with all findings at or above the severity that are not suppressed, or nil when there
// is none. It is the single bridge from findings to errors. A finding with an invalid severity never passes.
func Gate(findings []Finding, at Severity) error {
	var failed []Finding
	for _, f := range findings {
		invalid := f.Severity < Info || f.Severity > Error
		if f.Suppressed == nil && (invalid || f.Severity >= at) {
			failed = append(failed, f)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &GateError{At: at, Findings: failed}
}
