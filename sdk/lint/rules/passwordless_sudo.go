package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var passwordlessSudo = lint.Rule{
	ID: "DF4010", Name: "passwordless-sudo", Title: "sudo without a password",
	Group: lint.Users, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for _, x := range pass.Texts() {
			if strings.Contains(x.Text, "NOPASSWD") || strings.Contains(x.Text, "permit nopass") {
				pass.Report(x.Word(), "this makes the user root with one more word; leave sudo out of the image")
			}
		}
	},
}
