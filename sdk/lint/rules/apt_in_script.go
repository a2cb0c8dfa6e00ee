package rules

import (
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var aptInScript = lint.Rule{
	ID: "DF5007", Name: "apt-in-script", Title: "apt where a script should use apt-get",
	Group: lint.Packages, Severity: finding.Warning, Suppressible: true, Fixes: true,
	Aliases: []string{"hadolint:DL3027"},
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands("apt") {
			r := pass.Report(c.NameWord(), "apt is made for people and may change; scripts use apt-get or apt-cache")
			operands := c.Operands(aptValues...)
			if len(operands) == 0 || !pass.Contiguous(c.NameWord()) || c.NameWord().Text != "apt" {
				continue
			}
			// These verbs and their options are the same in both.
			if slices.Contains([]string{"install", "update", "upgrade", "remove", "purge", "autoremove", "clean", "autoclean", "build-dep", "source", "download"}, operands[0].Text) {
				r.Fix("use apt-get", lint.Replace(c.NameWord(), "apt-get"))
			}
		}
	},
}
