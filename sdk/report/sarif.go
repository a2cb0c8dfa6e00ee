package report

import (
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// SARIF writes the Static Analysis Results Interchange Format, version 2.1.0 with errata 01, for code scanning of
// GitHub, GitLab, Azure DevOps and others. Columns count UTF-16 code units, SARIF's default; they and the fixes need
// Report.Source and are left out without it, because bytes can't be converted blindly. Suppressed findings are marked
// as such. An image stands where a file would, by its reference: GitHub refuses a whole report for one result without
// a file.
type SARIF struct{}

// Write implements [Format].
func (SARIF) Write(w io.Writer, r Report) error {
	r, err := r.check()
	if err != nil {
		return err
	}
	s := sarif{Report: r, src: newSource(r.Source)}
	return writeJSON(w, s.log())
}

// sarif converts one report.
type sarif struct {
	Report
	src *source
}

func (s *sarif) log() sarifLog {
	rules := s.rules()
	run := sarifRun{
		Tool: sarifTool{Driver: sarifDriver{
			Name: s.Tool.Name, Version: s.Tool.Version, InformationURI: s.Tool.URL, Rules: rules,
		}},
		ColumnKind: "utf16CodeUnits",
		Results:    []sarifResult{},
	}
	if s.Subject != "" {
		run.AutomationDetails = &sarifAutomation{Description: sarifText(s.Subject)}
	}
	if !s.Time.IsZero() || s.Failure != nil {
		run.Invocations = []sarifInvocation{s.invocation()}
	}
	prints := fingerprints(s.Report, s.src)
	for i, f := range s.Findings {
		res := s.result(f)
		res.RuleIndex = slices.IndexFunc(rules, func(r sarifRule) bool { return r.ID == f.Rule })
		res.Fingerprints = map[string]string{"plimsoll/v1": prints[i]}
		run.Results = append(run.Results, res)
	}
	return sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}}
}

// rules describes the report's rules and those that only findings name.
// invocation says when, and whether the tool could answer.
func (s *sarif) invocation() sarifInvocation {
	out := sarifInvocation{Successful: s.Failure == nil}
	if !s.Time.IsZero() {
		out.End = s.Time.UTC().Format(time.RFC3339Nano)
	}
	if s.Failure != nil {
		n := sarifNotification{Level: "error", Message: sarifText(s.Failure.Message)}
		if loc, ok := s.location(s.Failure.Place, ""); ok {
			n.Locations = []sarifLocation{loc}
		}
		out.Notifications = []sarifNotification{n}
	}
	return out
}

func (s *sarif) rules() []sarifRule {
	rules := slices.Clone(s.Rules)
	for _, f := range s.Findings {
		rules = append(rules, Rule{ID: f.Rule, URL: f.URL})
	}
	seen := map[string]bool{}
	out := []sarifRule{}
	for _, r := range rules {
		if seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		title := r.Title
		if title == "" {
			title = r.ID
		}
		rule := sarifRule{ID: r.ID, HelpURI: r.URL, Short: sarifText(title), Full: sarifText(title)}
		if r.Doc != "" {
			rule.Help = &sarifHelp{Text: r.Doc, Markdown: r.Doc}
		}
		if r.Severity != 0 {
			rule.Default = &sarifConfiguration{Level: sarifLevel(r.Severity)}
		}
		out = append(out, rule)
	}
	return out
}

func (s *sarif) result(f finding.Finding) sarifResult {
	res := sarifResult{
		RuleID:       f.Rule,
		Level:        sarifLevel(f.Severity),
		Message:      sarifText(lines(f.Message, f.Help)),
		Suppressions: []sarifSuppression{}, // none is said with an empty list: null would mean that nobody looked
	}
	if loc, ok := s.location(f.Place, ""); ok {
		res.Locations = []sarifLocation{loc}
	}
	for _, rel := range f.Related {
		if loc, ok := s.location(rel.Place, rel.Message); ok {
			res.Related = append(res.Related, loc)
		}
	}
	for _, fix := range f.Fixes {
		if out, ok := s.fix(fix); ok {
			res.Fixes = append(res.Fixes, out)
		}
	}
	if f.Suppressed != nil {
		res.Suppressions = append(res.Suppressions, suppression(*f.Suppressed))
	}
	return res
}

func (s *sarif) location(p finding.Place, message string) (sarifLocation, bool) {
	if p.File == "" && p.Image == "" {
		return sarifLocation{}, false
	}
	loc := sarifLocation{Physical: sarifPhysical{Artifact: s.artifact(p), Region: s.region(p)}}
	if p.File == "" {
		loc.Logical = []sarifLogical{{Name: p.String(), Kind: "resource"}}
	}
	if message != "" {
		m := sarifText(message)
		loc.Message = &m
	}
	return loc, true
}

func (s *sarif) artifact(p finding.Place) sarifArtifact {
	a := sarifArtifact{URI: (&url.URL{Path: strings.TrimLeft(s.path(p), "/")}).String()}
	if p.File != "" {
		a.Base = "%SRCROOT%"
	}
	return a
}

// region converts a place. What is unknown is left out: no column means the line as a whole, no line the whole file.
func (s *sarif) region(p finding.Place) *sarifRegion {
	if p.File == "" || p.Start.Line < 1 {
		return nil
	}
	r := &sarifRegion{StartLine: p.Start.Line, StartColumn: s.src.column(p.File, p.Start)}
	if p.End.Line < p.Start.Line {
		return r
	}
	r.EndLine = p.End.Line
	if r.StartColumn > 0 {
		r.EndColumn = s.src.column(p.File, p.End)
	}
	return r
}

// fix converts a fix, unless an edit of it lies outside the source: half a fix is none.
func (s *sarif) fix(f finding.Fix) (sarifFix, bool) {
	out := sarifFix{Description: sarifText(f.Message)}
	changes := map[string]int{}
	for _, e := range f.Edits {
		start, ok1 := s.src.position(e.File, e.Start)
		end, ok2 := s.src.position(e.File, e.End)
		place := finding.Place{File: e.File, Start: start, End: end}
		if !ok1 || !ok2 || e.End < e.Start {
			return sarifFix{}, false
		}
		deleted := s.region(place)
		if deleted.StartColumn == 0 || deleted.EndColumn == 0 { // inside of a line's end or of a character
			return sarifFix{}, false
		}
		i, seen := changes[e.File]
		if !seen {
			i = len(out.Changes)
			changes[e.File] = i
			out.Changes = append(out.Changes, sarifChange{Artifact: s.artifact(place)})
		}
		c := &out.Changes[i]
		c.Replacements = append(c.Replacements, sarifReplacement{Deleted: *deleted, Inserted: sarifContent{e.New}})
	}
	return out, len(out.Changes) > 0
}

func suppression(s finding.Suppression) sarifSuppression {
	out := sarifSuppression{Kind: "external", Status: "accepted", Justification: s.Reason}
	if s.Kind == "inline" {
		out.Kind = "inSource"
	}
	if !s.Until.IsZero() {
		out.Justification += " (until " + s.Until.Format(time.DateOnly) + ")"
	}
	return out
}

func sarifLevel(s finding.Severity) string {
	return [...]string{finding.Info: "note", finding.Warning: "warning", finding.Error: "error"}[s]
}

var sarifPlaceholder = regexp.MustCompile(`\{(\d+)\}`)

// sarifText makes a message out of text that means nothing by itself: "{0}" is not a placeholder and "[a](b)", which a
// Dockerfile may contain, not a link. Other braces stay single, though the standard doubles them: viewers replace
// placeholders and show the rest as it is, and messages are full of "${NAME}".
func sarifText(s string) sarifMessage {
	s = sarifPlaceholder.ReplaceAllString(s, "{{$1}}")
	return sarifMessage{Text: strings.ReplaceAll(s, "](", "] (")}
}
