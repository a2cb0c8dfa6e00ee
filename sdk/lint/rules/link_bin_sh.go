package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var linkBinSh = lint.Rule{
	ID: "DF6023", Name: "link-bin-sh", Title: "/bin/sh replaced by another shell",
	Group: lint.Instructions, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"hadolint:DL4005"},
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands("ln", "cp", "mv") {
			operands := c.Operands("-t", "-S")
			if len(operands) > 1 && operands[len(operands)-1].Text == "/bin/sh" {
				pass.Report(c.Word(), "every script of the base now runs in another shell than it was tested with; use SHELL")
			}
		}
	},
}
