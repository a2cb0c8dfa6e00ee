package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var secondRoot = lint.Rule{
	ID: "DF4012", Name: "second-root", Title: "second user with uid 0",
	Group: lint.Users, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands("useradd", "usermod", "adduser") {
			if uid, ok := c.Value("-u", "--uid"); ok && uid.Text == "0" {
				pass.Report(uid.Word(), "a user with uid 0 is root under another name, which checks for the name root miss")
			}
		}
		for _, x := range pass.Texts() {
			if strings.Count(x.Text, ":") != 6 {
				continue
			}
			if fields := strings.Split(x.Text, ":"); fields[2] == "0" && fields[0] != "root" && strings.HasPrefix(fields[5], "/") {
				pass.Report(x.Word(), "a user with uid 0 is root under another name, which checks for the name root miss")
			}
		}
	},
}
