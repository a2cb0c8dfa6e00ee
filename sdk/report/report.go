// Package report writes findings for people and machines: plain text, JSON, SARIF 2.1.0, JUnit, GitHub annotations,
// GitLab code quality, a Markdown summary and a page of HTML.
//
// All formats write the same [Report] through one method; most callers need [ByName] or one of the format types:
//
//	err := report.Text{}.Write(os.Stdout, report.Report{Findings: findings})
//
// Whether findings fail a run is not decided here: see finding.Gate. The package imports the standard library only. The
// JSON format is published as a JSON Schema ([Schema]); its field names are stable within a schema version.
package report

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Report is what all formats write. Every field may be empty. Findings are written in the order given (finding.Sort
// makes it the same for every run); a report is not changed by writing it.
type Report struct {
	// Tool says who found it.
	Tool Tool
	// Subject is what was looked at: a repository and commit, or an image with its digest.
	Subject string
	// Time is when. It is left out where it is zero, which makes the output of two runs the same.
	Time     time.Time
	Findings []finding.Finding
	// Rules describes the rules that were applied, with or without findings. SARIF viewers show it; a rule that is missing
	// here is described by its findings alone.
	Rules []Rule
	// Source is the root of the definition, to which Place.File is relative. From it come excerpts, columns in the unit
	// that a format counts in, and SARIF's fixes; a file that can't be read or is larger than 16 MiB goes without them.
	Source fs.FS
	// Directory is the definition's path in its repository, with slashes. SARIF, GitHub and GitLab put it before Place.File,
	// since their readers look from the repository's root. Default: the definition lies at the root.
	Directory string
	// Failure says why the tool could not answer, or not about everything; nil when it did. JSON and SARIF have it, so that
	// a reader does not take a report without findings for a clean one.
	Failure *Failure
}

// Failure is why a question could not be answered.
type Failure struct {
	// Place is where, zero when there is none.
	Place   finding.Place `json:"place,omitzero"`
	Message string        `json:"message"`
}

// Tool is the program that looked.
type Tool struct {
	Name    string `json:"name"` // default "plimsoll"
	Version string `json:"version,omitempty"`
	URL     string `json:"url,omitempty"`
}

// Rule describes a rule for readers of a report.
type Rule struct {
	ID string `json:"id"`
	// Title is one line without a full stop: "base image is not in the catalog".
	Title string `json:"title,omitempty"`
	// Doc is the rule's page in Markdown.
	Doc string `json:"doc,omitempty"`
	URL string `json:"url,omitempty"`
	// Severity is the rule's default; zero when it has none.
	Severity finding.Severity `json:"severity,omitzero"`
}

// Format writes a report. What the report can't mean (a finding without a severity) is an error before the first byte is
// written; an error of w is returned as it is, and what was written until then is of no use. Formats are plain values
// and safe for concurrent use.
type Format interface {
	Write(w io.Writer, r Report) error
}

// formats is a function so that nobody can change the table.
func formats() map[string]Format {
	return map[string]Format{
		"github":   GitHub{},
		"gitlab":   GitLab{},
		"html":     HTML{},
		"json":     JSON{},
		"junit":    JUnit{},
		"markdown": Markdown{},
		"sarif":    SARIF{},
		"text":     Text{},
	}
}

// Names lists the formats that [ByName] knows, in alphabetical order.
func Names() []string { return slices.Sorted(maps.Keys(formats())) }

// ByName returns the format of that name with its default options. An unknown name is an error that lists the known ones.
func ByName(name string) (Format, error) {
	f, ok := formats()[name]
	if !ok {
		return nil, fmt.Errorf("report format %q is not one of %s", name, strings.Join(Names(), ", "))
	}
	return f, nil
}

// check refuses what no format could write truthfully, and fills in defaults.
func (r Report) check() (Report, error) {
	for _, f := range r.Findings {
		if _, err := f.Severity.MarshalText(); err != nil {
			return r, fmt.Errorf("%s: finding of rule %s: %w", f.Place, f.Rule, err)
		}
	}
	for _, rule := range r.Rules {
		if _, err := rule.Severity.MarshalText(); err != nil && rule.Severity != 0 {
			return r, fmt.Errorf("rule %s: %w", rule.ID, err)
		}
	}
	if r.Tool.Name == "" {
		r.Tool.Name = "plimsoll"
	}
	return r, nil
}

// path returns where a place is, seen from the root of the repository: its file, or the image.
func (r Report) path(p finding.Place) string {
	if p.File == "" {
		return p.Image
	}
	return path.Join(r.Directory, p.File)
}

// counts of the findings, suppressed ones apart.
type counts struct {
	Errors     int `json:"errors"`
	Warnings   int `json:"warnings"`
	Infos      int `json:"infos"`
	Suppressed int `json:"suppressed"`
}

func (r Report) count() counts {
	var c counts
	for _, f := range r.Findings {
		switch {
		case f.Suppressed != nil:
			c.Suppressed++
		case f.Severity == finding.Error:
			c.Errors++
		case f.Severity == finding.Warning:
			c.Warnings++
		default:
			c.Infos++
		}
	}
	return c
}

// String returns "2 errors, 1 warning, 3 suppressed", or "no findings".
func (c counts) String() string {
	var parts []string
	add := func(n int, one, many string) {
		switch n {
		case 0:
		case 1:
			parts = append(parts, "1 "+one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	add(c.Errors, "error", "errors")
	add(c.Warnings, "warning", "warnings")
	add(c.Infos, "info", "infos")
	add(c.Suppressed, "suppressed", "suppressed")
	if len(parts) == 0 {
		return "no findings"
	}
	return strings.Join(parts, ", ")
}
