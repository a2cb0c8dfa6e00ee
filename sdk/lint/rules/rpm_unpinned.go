package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var rpmUnpinned = lint.Rule{
	ID: "DF5013", Name: "rpm-unpinned", Title: "rpm package without a version",
	Group: lint.Packages, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL3033", "hadolint:DL3037", "hadolint:DL3041"},
	Run: func(pass *lint.Pass) {
		for c := range rpms(pass, "install", "in", "reinstall") {
			form := "PACKAGE-1.2.3"
			if c.Name == "zypper" {
				form = "PACKAGE=1.2.3"
			}
			reportUnpinned(pass, c, namesRPMVersion, form)
		}
	},
}

// namesRPMVersion says whether a package has a version behind a dash, as curl-8.9.1, or behind an operator.
func namesRPMVersion(p string) bool {
	if isLocalPackage(p) || strings.ContainsAny(p, "=<>*") {
		return true
	}
	for i := 1; i+1 < len(p); i++ {
		if p[i] == '-' && p[i+1] >= '0' && p[i+1] <= '9' {
			return true
		}
	}
	return false
}
