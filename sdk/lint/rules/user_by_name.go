package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var userByName = lint.Rule{
	ID: "DF4007", Name: "user-by-name", Title: "image starts as a user that only the image can look up",
	Group: lint.Users, Severity: finding.Info, Suppressible: true,
	Run: func(pass *lint.Pass) {
		user := lastUser(pass, pass.Final())
		if user == nil || isRoot(user.Args[0].Text) {
			return
		}
		name, _, _ := strings.Cut(user.Args[0].Text, ":")
		if !strings.Contains(name, "$") && strings.Trim(name, "0123456789") != "" {
			pass.Report(user.Args[0], "Kubernetes' runAsNonRoot refuses a user by name, for it can't tell that %s is not root; write the number", name)
		}
	},
}
