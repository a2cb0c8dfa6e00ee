package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var checkSkip = lint.Rule{
	ID: "DF2009", Name: "check-skip", Title: "# check=skip, which silences BuildKit's checks",
	Group: lint.SupplyChain, Severity: finding.Warning, Last: true,
	Run: func(pass *lint.Pass) { reportForeign(pass, "buildkit", "check=skip") },
}

// reportForeign reports the suppressions of another tool.
func reportForeign(pass *lint.Pass, tool, form string) {
	for _, s := range pass.Suppressions {
		if s.Tool != tool {
			continue
		}
		ids := strings.Join(s.IDs, ", ")
		if s.State == lint.Active {
			pass.Report(s.Word, "%s silences %s, also here", form, ids)
			continue
		}
		pass.Report(s.Word, "%s silences %s for another tool; it has no effect here", form, ids).
			Help("take it out, or write # plimsoll:ignore with rule, end and reason")
	}
}
