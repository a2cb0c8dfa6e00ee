package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var apkUpgrade = lint.Rule{
	ID: "DF5010", Name: "apk-upgrade", Title: "apk upgrade in a build",
	Group: lint.Packages, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL3017"},
	Run: func(pass *lint.Pass) {
		for c := range apk(pass, "upgrade") {
			if len(c.packages()) == 0 {
				pass.Report(c.verb.Word(), upgradeMessage, c.Name, c.verb.Text)
			}
		}
	},
}
