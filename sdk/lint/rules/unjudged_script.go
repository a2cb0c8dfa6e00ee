package rules

import (
	"errors"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var unjudgedScript = lint.Rule{
	ID: "DF6034", Name: "unjudged-script", Title: "RUN in a language that no rule reads",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true,
	Run: func(pass *lint.Pass) {
		for _, s := range pass.Scripts {
			if s.Build() && errors.Is(s.Err, lint.ErrForeign) {
				pass.Report(s.Instruction.Keyword, "no rule reads what %s runs, so nothing in it was judged", s.ShellName())
			}
		}
	},
}
