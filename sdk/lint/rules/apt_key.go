package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var aptKey = lint.Rule{
	ID: "DF2019", Name: "apt-key", Title: "key that apt trusts for every repository",
	Group: lint.SupplyChain, Severity: finding.Warning, Suppressible: true,
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands("apt-key") {
			if operands := c.Operands("--keyring", "--keyserver", "--keyserver-options"); len(operands) > 0 && (operands[0].Text == "add" || operands[0].Text == "adv") {
				pass.Report(c.NameWord(), "apt-key makes apt trust the key for every repository, and newer releases do not have it; write the key to /etc/apt/keyrings and name it with signed-by")
			}
		}
	},
}
