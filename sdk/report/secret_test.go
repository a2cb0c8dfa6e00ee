package report_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/report"
)

// A line with a secret is quoted by no format, not even by another finding that is in the same line.
func TestSecretsAreNotQuoted(t *testing.T) {
	const line = "RUN curl http://user:hunter2@example.com/a && \\\n    echo hunter3\n"
	at := func(line, column, end int) finding.Place {
		return finding.Place{File: "Dockerfile", Start: finding.Position{Line: line, Column: column}, End: finding.Position{Line: line, Column: end}}
	}
	r := report.Report{
		Source: fstest.MapFS{"Dockerfile": {Data: []byte(line)}},
		Findings: []finding.Finding{
			{Rule: "DF2008", Severity: finding.Warning, Place: at(1, 10, 20), Message: "download over http"},
			{Rule: "DF3005", Severity: finding.Error, Place: at(1, 10, 20), Message: "password in it", Secret: true},
			{Rule: "DF6001", Severity: finding.Info, Place: at(2, 5, 9), Message: "another line"},
		},
	}
	for _, name := range report.Names() {
		format, err := report.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		out := write(t, format, r)
		if strings.Contains(out, "hunter2") {
			t.Errorf("%s quotes the secret:\n%s", name, out)
		}
		if quotes := name == "text" || name == "html"; quotes && (!strings.Contains(out, "RUN ***") || !strings.Contains(out, "hunter3")) {
			t.Errorf("%s masks too little or too much:\n%s", name, out)
		}
	}
}

// A run that could not answer is no clean one.
func TestFailedRun(t *testing.T) {
	r := report.Report{Failure: &report.Failure{Place: finding.Place{File: "Dockerfile", Start: finding.Position{Line: 2, Column: 1}}, Message: "unknown instruction: FORM"}}
	sarif := write(t, report.SARIF{}, r)
	for _, want := range []string{`"executionSuccessful": false`, `"toolExecutionNotifications"`, "unknown instruction: FORM", `"startLine": 2`} {
		if !strings.Contains(sarif, want) {
			t.Errorf("SARIF lacks %s:\n%s", want, sarif)
		}
	}
	if out := write(t, report.JSON{}, r); !strings.Contains(out, `"failure"`) {
		t.Errorf("JSON lacks the failure:\n%s", out)
	}
}
