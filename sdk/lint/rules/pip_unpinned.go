package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var pipUnpinned = lint.Rule{
	ID: "DF5016", Name: "pip-unpinned", Title: "Python package without a version",
	Group: lint.Packages, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"hadolint:DL3013"},
	Run: func(pass *lint.Pass) {
		for c := range pips(pass, "install") {
			if !c.Has("-c", "--constraint", "-e", "--editable", "--require-hashes") {
				reportUnpinned(pass, c, isPinnedRequirement, "PACKAGE==1.2.3")
			}
		}
	},
}

// isPinnedRequirement says whether a requirement is held to a version, or is no name of a package: a file, a URL.
func isPinnedRequirement(r string) bool {
	return strings.ContainsAny(r, "=<>~@/") || strings.HasSuffix(r, ".whl") || strings.HasSuffix(r, ".gz") ||
		strings.HasSuffix(r, ".zip") || r == "."
}
