package linttest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/linttest"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
)

// badRules are wrong in one way each, and what Run must say about it.
var badRules = []struct {
	name, want string
	rule       func() lint.Rule
}{
	{"fix keeps the finding", "2 findings left", withFix(func(w definition.Word) (definition.Word, string) { return w, "telnet " })},
	{"fix brings up another finding", "the fix brings up Dockerfile:3:6: warning: image", withFix(func(w definition.Word) (definition.Word, string) {
		return w, "true\nFROM x\nRUN true"
	})},
	{"fix breaks the file", "the fixed file does not parse", withFix(func(w definition.Word) (definition.Word, string) { return w, "\nFRMO x" })},
	{"fix is outside the file", "is outside the file's", withFix(func(w definition.Word) (definition.Word, string) {
		w.End.Offset = 10_000
		return w, ""
	})},
	{"findings differ", "findings (-want +got)", func() lint.Rule {
		r := noTelnet
		r.Severity = finding.Warning
		return r
	}},
	{"good example is found", `the example under "Good" has 1 findings`, func() lint.Rule {
		r := noTelnet
		r.Doc = strings.Replace(r.Doc, "RUN ssh", "RUN telnet", 1)
		return r
	}},
	{"bad example is not found", `the example under "Bad" has 0 findings`, func() lint.Rule {
		r := noTelnet
		r.Doc = strings.Replace(r.Doc, "RUN telnet", "RUN ssh", 1)
		return r
	}},
	{"page is missing", "the page does not begin with", func() lint.Rule {
		r := noTelnet
		r.Doc = ""
		return r
	}},
	{"no archives", "0 archives with findings and 0 without", func() lint.Rule {
		r := noTelnet
		r.ID = "XY0002"
		r.Doc = strings.Replace(r.Doc, "XY0001", "XY0002", 1)
		return r
	}},
}

// withFix is noTelnet with another fix.
func withFix(change func(definition.Word) (definition.Word, string)) func() lint.Rule {
	return func() lint.Rule {
		r := noTelnet
		r.Run = func(pass *lint.Pass) {
			for c := range pass.Commands("telnet") {
				w, text := change(c.NameWord())
				pass.Report(c.NameWord(), "telnet sends everything in clear; use ssh").Fix("use ssh", lint.Replace(w, text))
			}
		}
		return r
	}
}

// TestBadRule runs one of them; it is run by TestRunCatchesBadRules in a process of its own, where it may fail.
func TestBadRule(t *testing.T) {
	name := os.Getenv("LINTTEST_BAD_RULE")
	if name == "" {
		t.Skip("needs LINTTEST_BAD_RULE; TestRunCatchesBadRules sets it")
	}
	for _, bad := range badRules {
		if bad.name == name {
			linttest.Run(t, "testdata", []lint.Rule{bad.rule()}, linttest.Options{With: rules.All()})
		}
	}
}

func TestRunCatchesBadRules(t *testing.T) {
	for _, bad := range badRules {
		t.Run(bad.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBadRule$")
			cmd.Env = append(os.Environ(), "LINTTEST_BAD_RULE="+bad.name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), bad.want) {
				t.Errorf("the test of the bad rule ended with %v, want a failure with %q:\n%s", err, bad.want, out)
			}
		})
	}
}
