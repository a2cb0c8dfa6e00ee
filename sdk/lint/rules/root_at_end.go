package rules

import (
	"slices"
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
		if user := lastUser(pass, final); user != nil {
			if isRoot(user.Args[0].Text) {
				pass.Report(user.Args[0], "the image starts as %s; end with a USER that is not root", user.Args[0].Text)
			}
			return
		}
		bottom := rootBase(pass, final)
		if base, known := pass.Base(bottom); known && isRoot(base.User) {
			pass.Report(final.Base, "no USER, and the base %q starts as root; end with a USER that is not root", bottom.Base.Text)
		}
	},
}

// lastUser returns the USER in force at the end of a stage, nil when neither it nor those it starts from have one.
func lastUser(pass *lint.Pass, stage *definition.Stage) *definition.Instruction {
	for s := stage; s != nil; s = pass.Parent(s) {
		for _, in := range slices.Backward(s.Instructions) {
			if in.Name == "user" && len(in.Args) > 0 {
				return in
			}
		}
	}
	return nil
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
