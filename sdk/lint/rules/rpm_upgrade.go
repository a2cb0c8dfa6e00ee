package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var rpmUpgrade = lint.Rule{
	ID: "DF5014", Name: "rpm-upgrade", Title: "dnf, yum or zypper update in a build",
	Group: lint.Packages, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL3031", "hadolint:DL3035", "hadolint:DL3039"},
	Run: func(pass *lint.Pass) {
		for c := range rpms(pass, "update", "upgrade", "dist-upgrade", "distro-sync", "dup", "up", "update-minimal", "upgrade-minimal") {
			if len(c.packages()) == 0 {
				pass.Report(c.verb.Word(), upgradeMessage, c.Name, c.verb.Text)
			}
		}
	},
}
