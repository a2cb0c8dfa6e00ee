package report_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/report"
)

// What a report quotes was written by strangers. Whatever it is, every format stays what it is.
func FuzzFormats(f *testing.F) {
	f.Add("FROM a\n", "not in the catalog", 1, 6, 1, 7)
	f.Add("\ufeffFROM ö\r\n", "::error::x\n::stop-commands::y", 1, 9, 2, 1)
	f.Add("RUN \x1b[2J", "</script><script>alert(1)</script>", 1, 5, 1, 4)
	f.Add("\xff\xfe\n\n", "| a | [x](http://y) `z` <img src=x>\x00\u202e", 3, -1, 3, 99)
	f.Add("", "]]>&%0A,:{0}", -1, 0, 1<<40, 1)
	sarif := sarifSchema(f)
	published := compile(f, string(report.Schema()))
	f.Fuzz(func(t *testing.T, source, text string, line, column, endLine, endColumn int) {
		place := finding.Place{
			File:  "Dockerfile",
			Start: finding.Position{Line: max(0, line), Column: max(0, column), Offset: max(0, column)},
			End:   finding.Position{Line: max(0, endLine), Column: max(0, endColumn)},
		}
		r := report.Report{
			Subject: text,
			Source:  fstest.MapFS{"Dockerfile": {Data: []byte(source)}},
			Findings: []finding.Finding{
				{
					Rule: "DF0001", Severity: finding.Error, Place: place, Message: text, Help: text,
					Fixes:   []finding.Fix{{Message: text, Edits: []finding.Edit{{File: "Dockerfile", Start: line, End: endColumn, New: text}}}},
					Related: []finding.Related{{Place: place, Message: text}},
				},
				{
					Rule: "DF0001", Severity: finding.Info, Place: finding.Place{File: text}, Message: "m",
					Suppressed: &finding.Suppression{Kind: "inline", Reason: text},
				},
				{Rule: "IM0001", Severity: finding.Warning, Place: finding.Place{Image: text, Path: text}, Message: text},
			},
		}
		for i := range r.Findings { // place.start and edits of the schema have no negative numbers; neither does a parser
			if p := &r.Findings[i].Place; p.Start.Line == 0 {
				p.Start, p.End = finding.Position{}, finding.Position{}
			}
			if p := &r.Findings[i].Place; p.End.Line == 0 {
				p.End = finding.Position{}
			}
		}
		if line < 0 || endColumn < 0 {
			r.Findings[0].Fixes = nil
		}
		r.Findings[0].Related[0].Place = r.Findings[0].Place

		validate(t, sarif, write(t, report.SARIF{}, r))
		validate(t, published, write(t, report.JSON{}, r))
		if out := write(t, report.GitLab{}, r); !json.Valid([]byte(out)) {
			t.Errorf("gitlab: not JSON:\n%s", out)
		}
		if err := wellFormed(write(t, report.JUnit{}, r)); err != nil {
			t.Errorf("junit: %v", err)
		}
		if out := write(t, report.GitHub{}, r); strings.Count(out, "\n") != 2 || strings.ContainsRune(out, '\r') {
			t.Errorf("github: two findings must be two lines:\n%q", out)
		}
		if i := strings.IndexFunc(write(t, report.Text{}, r), func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); i >= 0 {
			t.Error("text: has a control character")
		}
		if out := write(t, report.HTML{}, r); strings.Contains(out, "<script") || strings.Contains(out, "<img") {
			t.Errorf("html: markup was let through:\n%s", out)
		}
		if out := write(t, report.Markdown{}, r); strings.Contains(out, "<script") || strings.Contains(out, "<img") || strings.Contains(out, "](") {
			t.Errorf("markdown: markup was let through:\n%s", out)
		}
	})
}

func wellFormed(text string) error {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
