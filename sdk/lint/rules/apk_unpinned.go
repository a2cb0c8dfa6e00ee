package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var apkUnpinned = lint.Rule{
	ID: "DF5009", Name: "apk-unpinned", Title: "Alpine package without a version",
	Group: lint.Packages, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL3018"},
	Run: func(pass *lint.Pass) {
		for c := range apk(pass, "add") {
			reportUnpinned(pass, c, func(p string) bool {
				return isLocalPackage(p) || strings.ContainsAny(p, "=<>~") || strings.HasPrefix(p, "!") || strings.HasPrefix(p, ".")
			}, "PACKAGE=1.2.3-r4 or PACKAGE~1.2")
		}
	},
}
