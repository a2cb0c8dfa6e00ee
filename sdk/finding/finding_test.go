package finding_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

func TestString(t *testing.T) {
	at := func(line, column int) finding.Place {
		return finding.Place{File: "app/Dockerfile", Start: finding.Position{Line: line, Column: column}}
	}
	tests := []struct {
		name    string
		finding finding.Finding
		want    string
	}{
		{"line and column", finding.Finding{Place: at(3, 9), Severity: finding.Error}, "app/Dockerfile:3:9: error: m (DF1002)"},
		{"line", finding.Finding{Place: at(3, 0), Severity: finding.Warning}, "app/Dockerfile:3: warning: m (DF1002)"},
		{"file", finding.Finding{Place: at(0, 0), Severity: finding.Info}, "app/Dockerfile: info: m (DF1002)"},
		{"image", finding.Finding{Place: finding.Place{Image: "a/b@sha256:1"}, Severity: finding.Error}, "a/b@sha256:1: error: m (DF1002)"},
		{"path in an image", finding.Finding{Place: finding.Place{Image: "a/b@sha256:1", Path: "config.User"}, Severity: finding.Error}, "a/b@sha256:1#config.User: error: m (DF1002)"},
		{"nowhere", finding.Finding{Severity: finding.Error}, "-: error: m (DF1002)"},
		{"forgotten severity", finding.Finding{Place: at(1, 1)}, "app/Dockerfile:1:1: severity(0): m (DF1002)"},
		{
			"suppressed",
			finding.Finding{Place: at(1, 1), Severity: finding.Error, Suppressed: &finding.Suppression{Reason: "known"}},
			"app/Dockerfile:1:1: error: m (DF1002) [suppressed: known]",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.finding.Message, tt.finding.Rule = "m", "DF1002"
			if got := tt.finding.String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestGate(t *testing.T) {
	f := func(s finding.Severity) finding.Finding { return finding.Finding{Rule: s.String(), Severity: s} }
	suppressed := f(finding.Error)
	suppressed.Suppressed = &finding.Suppression{Kind: "exception", Reason: "until the move"}
	tests := []struct {
		name     string
		findings []finding.Finding
		at       finding.Severity
		want     []string // rules that do not pass
	}{
		{"nothing", nil, finding.Error, nil},
		{"below", []finding.Finding{f(finding.Info), f(finding.Warning)}, finding.Error, nil},
		{"at", []finding.Finding{f(finding.Info), f(finding.Error)}, finding.Error, []string{"error"}},
		{"above", []finding.Finding{f(finding.Warning), f(finding.Error)}, finding.Warning, []string{"warning", "error"}},
		{"suppressed", []finding.Finding{suppressed}, finding.Info, nil},
		{"forgotten severity never passes", []finding.Finding{f(0), f(4)}, finding.Error, []string{"severity(0)", "severity(4)"}},
		{"forgotten gate lets nothing pass", []finding.Finding{f(finding.Info)}, 0, []string{"info"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := finding.Gate(tt.findings, tt.at)
			var got []string
			if gate, ok := errors.AsType[*finding.GateError](err); ok {
				for _, f := range gate.Findings {
					got = append(got, f.Rule)
				}
			} else if err != nil {
				t.Fatalf("got a %T, want a *GateError", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGateErrorText(t *testing.T) {
	f := finding.Finding{Rule: "DF1002", Severity: finding.Error, Place: finding.Place{File: "Dockerfile"}, Message: "m"}
	tests := []struct {
		name     string
		findings []finding.Finding
		want     string
	}{
		{"none", nil, "no findings at or above error"},
		{"one", []finding.Finding{f}, "Dockerfile: error: m (DF1002)"},
		{"two", []finding.Finding{f, f}, "2 findings at or above error; the first: Dockerfile: error: m (DF1002)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := &finding.GateError{At: finding.Error, Findings: tt.findings}
			if got := err.Error(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSort(t *testing.T) {
	f := func(file string, line, column int, s finding.Severity, rule string) finding.Finding {
		return finding.Finding{
			Rule: rule, Severity: s,
			Place: finding.Place{File: file, Start: finding.Position{Line: line, Column: column}},
		}
	}
	want := []finding.Finding{
		{Rule: "IM1001", Severity: finding.Error, Place: finding.Place{Image: "a@sha256:1", Path: "config.User"}},
		{Rule: "IM1001", Severity: finding.Error, Place: finding.Place{Image: "b@sha256:1"}},
		f("A", 9, 9, finding.Info, "DF1001"),
		f("B", 2, 9, finding.Error, "DF1001"),
		f("B", 10, 1, finding.Error, "DF1001"),
		f("B", 10, 2, finding.Error, "DF2001"),
		f("B", 10, 2, finding.Warning, "DF1001"),
		f("B", 10, 2, finding.Warning, "DF1002"),
	}
	for name, mixed := range map[string][]finding.Finding{
		"backwards": reversed(want),
		"repeated":  append(reversed(want), want...),
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, finding.Sort(mixed)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func reversed(findings []finding.Finding) []finding.Finding {
	out := slices.Clone(findings)
	slices.Reverse(out)
	return out
}

func TestJSONKeepsEverything(t *testing.T) {
	want := finding.Finding{
		Rule: "DF1002", Severity: finding.Warning, Message: "m", Help: "h", URL: "https://example.com",
		Place: finding.Place{
			File:  "Dockerfile",
			Start: finding.Position{Line: 3, Column: 9, Offset: 40},
			End:   finding.Position{Line: 3, Column: 12, Offset: 43},
		},
		Fixes:      []finding.Fix{{Message: "pin it", Edits: []finding.Edit{{File: "Dockerfile", Start: 40, End: 43, New: "x"}}}},
		Related:    []finding.Related{{Place: finding.Place{Image: "a@sha256:1", Path: "p"}, Message: "r"}},
		Suppressed: &finding.Suppression{Kind: "inline", Reason: "why", Until: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)},
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got finding.Finding
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestInvalidSeverityIsNotStored(t *testing.T) {
	if text, err := json.Marshal(finding.Finding{}); err == nil {
		t.Errorf("a finding without a severity became %s", text)
	}
	for _, text := range []string{`"fatal"`, `""`, `3`, `"Error"`} {
		var s finding.Severity
		if err := json.Unmarshal([]byte(text), &s); err == nil {
			t.Errorf("%s was read as %s", text, s)
		}
	}
}
