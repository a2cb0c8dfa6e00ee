package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var noUser = lint.Rule{
	ID: "DF4013", Name: "no-user", Title: "no USER, so that the base decides who starts",
	Group: lint.Users, Severity: finding.Warning, Suppressible: true,
	Run: func(pass *lint.Pass) {
		final := pass.Final()
		bottom := rootBase(pass, final)
		if _, known := pass.Base(bottom); lastUser(pass, final) == nil && !known && !namesNonroot(bottom.Base.Text) {
			pass.Report(final.Base, "no USER, so the image starts as root unless its base says otherwise; end with a USER that is not root")
		}
	},
}

// namesNonroot says whether a reference promises in its name that the image does not start as root.
func namesNonroot(ref string) bool {
	return strings.Contains(ref, "nonroot") || strings.Contains(ref, "unprivileged") || strings.Contains(ref, "rootless")
}
