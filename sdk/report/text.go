package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Text writes for people: the place first, in the form that editors and terminals turn into links, then the line of
// source with the finding marked, what to do, and a last line with the counts.
//
//	Dockerfile:3:6: error: base image "debian:12" is not in the catalog (DF1002)
//	    3 | FROM debian:12 AS build
//	      |      ^^^^^^^^^
//	  help: choose one of the images that the catalog lists
type Text struct {
	// Color marks severities and excerpts with ANSI colours. Use it on a terminal only.
	Color bool
}

const (
	bold  = "1"
	faint = "2"
)

// color is what a severity is shown in: ANSI's red, yellow and cyan.
func color(s finding.Severity) string {
	return [...]string{finding.Info: "36", finding.Warning: "33", finding.Error: "31"}[s]
}

// Write implements [Format].
func (t Text) Write(w io.Writer, r Report) error {
	r, err := r.check()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	src := newSource(r.Source).hiding(r.Findings)
	for _, f := range r.Findings {
		t.finding(out, src, f)
	}
	if r.Subject != "" {
		fmt.Fprintf(out, "%s: ", visible(r.Subject))
	}
	fmt.Fprintln(out, r.count())
	return out.Flush()
}

func (t Text) finding(out *bufio.Writer, src *source, f finding.Finding) {
	fmt.Fprintf(out, "%s: %s: %s %s", t.style(bold, visible(f.Place.String())), t.style(color(f.Severity), f.Severity.String()),
		visible(f.Message), t.style(faint, "("+visible(f.Rule)+")"))
	if f.Suppressed != nil {
		fmt.Fprintf(out, " [suppressed: %s]", visible(f.Suppressed.Reason))
	}
	fmt.Fprintln(out)
	if e, ok := src.excerpt(f.Place); ok {
		t.excerpt(out, e, color(f.Severity))
	}
	for line := range strings.Lines(f.Help) {
		fmt.Fprintf(out, "  help: %s\n", visible(strings.TrimRight(line, "\r\n")))
	}
	for _, fix := range f.Fixes {
		fmt.Fprintf(out, "  fix: %s\n", visible(fix.Message))
	}
	if f.URL != "" {
		fmt.Fprintf(out, "  see: %s\n", visible(f.URL))
	}
	for _, rel := range f.Related {
		fmt.Fprintf(out, "%s: note: %s\n", t.style(bold, visible(rel.Place.String())), visible(rel.Message))
	}
}

func (t Text) excerpt(out *bufio.Writer, e excerpt, color string) {
	fmt.Fprintf(out, "%5d | %s%s%s\n", e.Line, e.Before, t.style(color, e.Marked), e.After)
	if e.Before == "" && e.Marked == "" {
		return
	}
	// Tabs stay tabs, so that the marks stand below what they mark. Characters wider than one column shift them.
	indent := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, e.Before)
	marks := strings.Repeat("^", max(1, len([]rune(e.Marked))))
	fmt.Fprintf(out, "%5s | %s%s\n", "", indent, t.style(color, marks))
}

func (t Text) style(code, s string) string {
	if !t.Color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
