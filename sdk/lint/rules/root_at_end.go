package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var rootAtEnd = lint.Rule{
	ID: "DF4001", Name: "root-at-end", Title: "image starts as root",
	Group: lint.Users, Severity: finding.Error,
	Aliases: []string{"hadolint:DL3002"},
	Run: func(pass *lint.Pass) {
		final := pass.Final()
		user, known := lastUser(pass, final)
		switch {
		case user != nil && isRoot(user.Args[0].Text):
			pass.Report(user.Args[0], "the image starts as %s; end with a USER that is not root", user.Args[0].Text)
		case user == nil && !known && !namesNonroot(rootBase(pass, final).Base.Text):
			pass.Report(final.Base, "no USER, so the image starts as root unless its base says otherwise; end with a USER that is not root")
		case user == nil && known:
			if base, _ := pass.Base(rootBase(pass, final)); isRoot(base.User) {
				pass.Report(final.Base, "no USER, and the base %q starts as root; end with a USER that is not root", rootBase(pass, final).Base.Text)
			}
		}
	},
}

// lastUser returns the USER in force at the end of a stage. Without one, it says whether the base's config is known.
func lastUser(pass *lint.Pass, stage *definition.Stage) (user *definition.Instruction, known bool) {
	for s := stage; s != nil; s = pass.Parent(s) {
		for i := len(s.Instructions) - 1; i >= 0; i-- {
			if in := s.Instructions[i]; in.Name == "user" && len(in.Args) > 0 {
				return in, true
			}
		}
	}
	_, known = pass.Base(rootBase(pass, stage))
	return nil, known
}

// rootBase is the stage under a stage that starts from an image.
func rootBase(pass *lint.Pass, stage *definition.Stage) *definition.Stage {
	for parent := pass.Parent(stage); parent != nil; parent = pass.Parent(stage) {
		stage = parent
	}
	return stage
}

// isRoot says whether a USER is root: by name, by number, or none.
func isRoot(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	name = strings.Trim(name, `"'`)
	return name == "" || name == "root" || strings.Trim(name, "0") == ""
}

// namesNonroot says whether a reference promises in its name that the image does not start as root.
func namesNonroot(ref string) bool {
	return strings.Contains(ref, "nonroot") || strings.Contains(ref, "unprivileged") || strings.Contains(ref, "rootless")
}
