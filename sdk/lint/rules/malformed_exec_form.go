package rules

import (
	"encoding/json"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var malformedExecForm = lint.Rule{
	ID: "DF6032", Name: "malformed-exec-form", Title: "exec form that is not JSON",
	Group: lint.Instructions, Severity: finding.Error, Fixes: true,
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("run", "cmd", "entrypoint", "healthcheck") {
			if in.JSON || len(in.Args) == 0 {
				continue
			}
			w := in.Args[len(in.Args)-1]
			if !looksLikeExecForm(w.Text) {
				continue
			}
			r := pass.Report(w, "this is not JSON, so a shell runs the text with its brackets; use double quotes, commas and nothing after the ]")
			if fixed := strings.ReplaceAll(w.Text, "'", `"`); !strings.Contains(w.Text, `"`) && isStringList(fixed) {
				var edits []finding.Edit
				for i := range len(w.Text) {
					if w.Text[i] == '\'' {
						edits = append(edits, lint.Replace(w.Slice(i, i+1), `"`))
					}
				}
				r.Fix("use double quotes", edits...)
			}
		}
	},
}

// looksLikeExecForm says whether a text begins as a list of strings does: with a bracket and a quote. The command [ has a
// space after it.
func looksLikeExecForm(text string) bool {
	for _, start := range []string{`["`, "['", "[“"} {
		if strings.HasPrefix(text, start) && strings.Contains(text, "]") {
			return true
		}
	}
	return false
}

func isStringList(text string) bool {
	var words []string
	return json.Unmarshal([]byte(text), &words) == nil
}
