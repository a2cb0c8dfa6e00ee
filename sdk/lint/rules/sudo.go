package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var sudo = lint.Rule{
	ID: "DF4002", Name: "sudo", Title: "sudo in RUN",
	Group: lint.Users, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"hadolint:DL3004"},
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands("sudo", "doas") {
			pass.Report(c.NameWord(), "%s in a build is either useless, as root, or proof that the user may become root at run time too; set USER before the step instead", c.Name)
		}
	},
}
