package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var wgetAndCurl = lint.Rule{
	ID: "DF6020", Name: "wget-and-curl", Title: "both wget and curl in one stage",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL4001"},
	Run: func(pass *lint.Pass) {
		curl := map[*definition.Stage]bool{}
		for c := range pass.Commands("curl") {
			curl[c.Script.Instruction.Stage] = true
		}
		reported := map[*definition.Stage]bool{}
		for c := range pass.Commands("wget") {
			if stage := c.Script.Instruction.Stage; curl[stage] && !reported[stage] {
				reported[stage] = true
				pass.Report(c.NameWord(), "the stage uses curl too; one of the two is enough")
			}
		}
	},
}
