package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// upgradeMessage is what the rules about upgrades say.
const upgradeMessage = "%s %s makes a layer of what the base should have, and another image every day; move to a newer base instead"

var aptUpgrade = lint.Rule{
	ID: "DF5006", Name: "apt-upgrade", Title: "apt-get upgrade in a build",
	Group: lint.Packages, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL3005"},
	Run: func(pass *lint.Pass) {
		for c := range apt(pass, "upgrade", "dist-upgrade", "full-upgrade") {
			if len(c.packages()) == 0 {
				pass.Report(c.verb.Word(), upgradeMessage, c.Name, c.verb.Text)
			}
		}
	},
}
