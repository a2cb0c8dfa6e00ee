package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var packageManagerLeft = lint.Rule{
	ID: "DF5023", Name: "package-manager-left", Title: "package manager added to the image",
	Group: lint.Packages, Severity: finding.Info, Suppressible: true,
	Run: func(pass *lint.Pass) {
		reportLeft(pass, packageManagers, "%s stays in the image, where it installs whatever an attacker likes; install in a stage of its own and copy the result")
	},
}

var packageManagers = []string{
	"apk-tools", "apt", "aptitude", "composer", "conda", "dnf", "gem", "luarocks", "maven", "microdnf", "npm", "nodejs-npm", "pip", "pipx",
	"py-pip", "py3-pip", "python-pip", "python2-pip", "python3-pip", "ruby-bundler", "bundler", "rubygems", "yarn", "yum", "zypper",
}
