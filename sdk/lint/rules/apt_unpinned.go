package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var aptUnpinned = lint.Rule{
	ID: "DF5005", Name: "apt-unpinned", Title: "Debian package without a version",
	Group: lint.Packages, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL3008"},
	Run: func(pass *lint.Pass) {
		for c := range apt(pass, "install") {
			if !c.Has("-t", "--target-release", "--default-release") {
				reportUnpinned(pass, c, func(p string) bool { return isLocalPackage(p) || strings.Contains(p, "=") || strings.HasSuffix(p, "-") }, "PACKAGE=1.2.3-4")
			}
		}
	},
}
