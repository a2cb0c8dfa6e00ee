package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var gemUnpinned = lint.Rule{
	ID: "DF5020", Name: "gem-unpinned", Title: "Ruby gem without a version",
	Group: lint.Packages, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"hadolint:DL3028"},
	Run: func(pass *lint.Pass) {
		values := []string{"-v", "--version", "-i", "--install-dir", "-n", "--bindir", "-s", "--source", "--platform", "-P", "--trust-policy"}
		for c := range invocations(pass, []string{"gem"}, values, []string{"install", "i"}) {
			if !c.Has("-v", "--version", "-l", "--local", "-g", "--file") {
				reportUnpinned(pass, c, func(p string) bool { return strings.ContainsAny(p, ":/") || strings.HasSuffix(p, ".gem") }, "PACKAGE:1.2.3")
			}
		}
	},
}
