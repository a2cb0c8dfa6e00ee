package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var thirdPartyRepository = lint.Rule{
	ID: "DF2023", Name: "third-party-repository", Title: "package repository added that is not the distribution's",
	Group: lint.SupplyChain, Severity: finding.Info, Suppressible: true,
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands("add-apt-repository", "apt-add-repository", "yum-config-manager", "dnf", "dnf5", "zypper", "rpm") {
			if a, ok := addedRepository(c); ok {
				pass.Report(a.Word(), "packages from %s are signed by its owner alone and may replace the distribution's; mirror what you need", a.Text)
			}
		}
	},
}

// addedRepository returns the argument that names a repository to add.
func addedRepository(c *lint.Command) (lint.Arg, bool) {
	operands := c.Operands("-p", "-k", "-n")
	switch c.Name {
	case "add-apt-repository", "apt-add-repository":
		if len(operands) > 0 && !c.Has("-r", "--remove") && strings.Contains(operands[0].Text, ":") {
			return operands[0], true
		}
	case "yum-config-manager", "dnf", "dnf5":
		if a, ok := c.Value("--add-repo"); ok {
			return a, true
		}
	case "zypper":
		if len(operands) > 1 && (operands[0].Text == "addrepo" || operands[0].Text == "ar") {
			return operands[1], true
		}
	case "rpm":
		for _, a := range operands {
			if isURL(a.Text) && strings.Contains(a.Text, "release") && c.Has("-i", "-U", "--install", "--upgrade") {
				return a, true
			}
		}
	}
	return lint.Arg{}, false
}
