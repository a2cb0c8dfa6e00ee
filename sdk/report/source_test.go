package report_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/report"
)

func oneFinding(source string, p finding.Place, fixes ...finding.Fix) report.Report {
	p.File = "Dockerfile"
	return report.Report{
		Source:   fstest.MapFS{"Dockerfile": {Data: []byte(source)}},
		Findings: []finding.Finding{{Rule: "DF0001", Severity: finding.Error, Place: p, Message: "m", Fixes: fixes}},
	}
}

type region struct{ StartLine, StartColumn, EndLine, EndColumn int }

// sarifResult is what the tests read back of SARIF's results.
type sarifResult struct {
	Locations []struct {
		PhysicalLocation struct {
			ArtifactLocation struct{ URI string }
			Region           *region
		}
	}
	Fixes []struct {
		ArtifactChanges []struct {
			Replacements []struct{ DeletedRegion region }
		}
	}
	PartialFingerprints map[string]string
}

func sarifResults(t testing.TB, r report.Report) []sarifResult {
	t.Helper()
	text := write(t, report.SARIF{}, r)
	validate(t, sarifSchema(t), text)
	var log struct {
		Runs []struct{ Results []sarifResult }
	}
	if err := json.Unmarshal([]byte(text), &log); err != nil {
		t.Fatal(err)
	}
	return log.Runs[0].Results
}

func TestColumnsCountUTF16(t *testing.T) {
	at := func(line, column, endLine, endColumn int) finding.Place {
		return finding.Place{
			Start: finding.Position{Line: line, Column: column},
			End:   finding.Position{Line: endLine, Column: endColumn},
		}
	}
	tests := []struct {
		name, source string
		place        finding.Place
		want         *region
	}{
		{"ascii", "FROM a\n", at(1, 6, 1, 7), &region{1, 6, 1, 7}},
		{"two bytes are one unit", "# ö x\n", at(1, 6, 1, 7), &region{1, 5, 1, 6}},
		{"four bytes are two units", "# 🐳 x\n", at(1, 8, 1, 9), &region{1, 6, 1, 7}},
		{"a byte order mark does not count", "\ufeffFROM a\n", at(1, 6, 1, 7), &region{1, 6, 1, 7}},
		{"invalid bytes are one unit each", "\xff\xfe x\n", at(1, 4, 1, 5), &region{1, 4, 1, 5}},
		{"line end of Windows", "ARG a\r\nFROM a\r\n", at(2, 6, 2, 7), &region{2, 6, 2, 7}},
		{"several lines", "RUN a \\\n  ö b\n", at(1, 5, 2, 7), &region{1, 5, 2, 6}},
		{"after the last character", "FROM a", at(1, 7, 1, 7), &region{1, 7, 1, 7}},
		{"no end", "FROM a\n", at(1, 6, 0, 0), &region{1, 6, 0, 0}},
		{"no column", "FROM a\n", at(1, 0, 0, 0), &region{1, 0, 0, 0}},
		{"whole file", "FROM a\n", at(0, 0, 0, 0), nil},
		{"a column that is not there", "FROM a\n", at(1, 99, 1, 100), &region{1, 0, 1, 0}},
		{"a line that is not there", "FROM a\n", at(9, 1, 9, 2), &region{9, 0, 9, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := sarifResults(t, oneFinding(tt.source, tt.place))[0].Locations[0].PhysicalLocation.Region
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFixesOfSARIF(t *testing.T) {
	tests := []struct {
		name, source string
		start, end   int
		want         []region // nil: the fix is left out
	}{
		{"a word", "FROM a\nRUN ö b\n", 14, 15, []region{{2, 7, 2, 8}}},
		{"an insertion", "FROM a\n", 0, 0, []region{{1, 1, 1, 1}}},
		{"a whole line", "FROM a\r\nRUN b\r\n", 8, 15, []region{{2, 1, 3, 1}}},
		{"after a byte order mark", "\ufeffFROM a\n", 8, 9, []region{{1, 6, 1, 7}}},
		{"before a byte order mark", "\ufeffFROM a\n", 0, 0, []region{{1, 1, 1, 1}}},
		{"inside of a line end", "FROM a\r\nRUN b\r\n", 7, 8, nil},
		{"beyond the end", "FROM a\n", 0, 99, nil},
		{"backwards", "FROM a\n", 3, 2, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fix := finding.Fix{Message: "change it", Edits: []finding.Edit{{File: "Dockerfile", Start: tt.start, End: tt.end}}}
			var got []region
			for _, f := range sarifResults(t, oneFinding(tt.source, finding.Place{}, fix))[0].Fixes {
				got = append(got, f.ArtifactChanges[0].Replacements[0].DeletedRegion)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExcerpts(t *testing.T) {
	long := strings.Repeat("x", 500)
	tests := []struct {
		name, source string
		start, end   int // columns in line 1
		want         string
	}{
		{"tabs keep their width", "\tRUN\tcurl x", 6, 10, "    1 | \tRUN\tcurl x\n      | \t   \t^^^^\n"},
		{"no end is one mark", "FROM a", 6, 0, "    1 | FROM a\n      |      ^\n"},
		{"a whole line is not marked", "FROM a", 0, 0, "    1 | FROM a\n"},
		{"an empty place at the end", "FROM a", 7, 7, "    1 | FROM a\n      |       ^\n"},
		{"the terminal is not commanded", "RUN \x1b[2Jcurl", 9, 13, `    1 | RUN \x1b[2Jcurl` + "\n" + `      |            ^^^^` + "\n"},
		{"text is not turned around", "RUN \u202ecurl", 8, 12, `    1 | RUN \u202ecurl` + "\n" + `      |           ^^^^` + "\n"},
		{"a long line is cut", long + "curl" + long, 501, 505, "    1 | …" + long[:60] + "curl" + long[:96] + "…\n      | " + strings.Repeat(" ", 61) + "^^^^\n"},
		{"a long place is cut", "RUN " + long, 5, 505, "    1 | RUN " + long[:156] + "…\n      |     " + strings.Repeat("^", 157) + "\n"},
		{"a place that is not there", "FROM a", 50, 51, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := finding.Place{Start: finding.Position{Line: 1, Column: tt.start}}
			if tt.end > 0 {
				p.End = finding.Position{Line: 1, Column: tt.end}
			}
			_, got, _ := strings.Cut(write(t, report.Text{}, oneFinding(tt.source, p)), "\n")
			got = strings.TrimSuffix(got, "1 error\n")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFingerprintsSurviveOtherChanges(t *testing.T) {
	place := func(line int) finding.Place { return finding.Place{Start: finding.Position{Line: line, Column: 6}} }
	fingerprint := func(r report.Report) string { return sarifResults(t, r)[0].PartialFingerprints["plimsoll/v1"] }

	before := fingerprint(oneFinding("FROM a\n", place(1)))
	if after := fingerprint(oneFinding("# new\nFROM a\n", place(2))); after != before {
		t.Error("a line above changes the fingerprint")
	}
	if after := fingerprint(oneFinding("FROM b\n", place(1))); after == before {
		t.Error("another line has the same fingerprint")
	}

	twice := oneFinding("FROM a\n", place(1))
	twice.Findings = append(twice.Findings, twice.Findings[0])
	results := sarifResults(t, twice)
	if cmp.Equal(results[0].PartialFingerprints, results[1].PartialFingerprints) {
		t.Error("two findings on one line share a fingerprint")
	}

	image := func(digest string) report.Report {
		r := oneFinding("", finding.Place{})
		r.Findings[0].Place = finding.Place{Image: "example.com/shop@sha256:" + digest, Path: "config.User"}
		return r
	}
	if fingerprint(image("1")) != fingerprint(image("2")) {
		t.Error("a new build of an image changes the fingerprint")
	}
}
