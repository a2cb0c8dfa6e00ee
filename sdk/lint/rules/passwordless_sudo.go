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
		for x := range texts(pass) {
			if strings.Contains(x.text, "NOPASSWD") || strings.Contains(x.text, "permit nopass") {
				pass.Report(x.place(), "this makes the user root with one more word; leave sudo out of the image")
			}
		}
	},
}
