package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var aptNoRecommends = lint.Rule{
	ID: "DF5001", Name: "apt-no-recommends", Title: "apt-get install that brings recommended packages along",
	Group: lint.Packages, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL3015"},
	Run: func(pass *lint.Pass) {
		for c := range apt(pass, "install") {
			if !c.Has("--no-install-recommends", "--install-recommends") && !setsRecommends(c.Command) && !c.Unknown() {
				pass.Report(c.verb.Word(), "%s install also installs what its packages recommend; add --no-install-recommends, and what you miss then by name", c.Name)
			}
		}
	},
}

// setsRecommends says whether -o APT::Install-Recommends decides.
func setsRecommends(c *lint.Command) bool {
	for _, a := range c.Args {
		if strings.Contains(strings.ToLower(a.Text), "apt::install-recommends") {
			return true
		}
	}
	return false
}
