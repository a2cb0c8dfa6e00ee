package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var unpinnedGitClone = lint.Rule{
	ID: "DF2020", Name: "unpinned-git-clone", Title: "git clone of whatever the default branch is",
	Group: lint.SupplyChain, Severity: finding.Warning, Suppressible: true,
	Run: func(pass *lint.Pass) {
		values := []string{"-C", "-c", "--depth", "-b", "--branch", "-o", "-u", "--reference", "--filter", "-j", "--jobs", "--origin", "--revision"}
		for c := range invocations(pass, []string{"git"}, values, []string{"clone"}) {
			if !c.Has("-b", "--branch", "--revision") && !picksCommit(c.Script) {
				pass.Report(c.verb.Word(), "git clone takes the default branch as it is today; check out a commit after it")
			}
		}
	},
}

// picksCommit says whether a script goes to a commit after cloning.
func picksCommit(s *lint.Script) bool {
	for _, c := range s.Commands {
		if c.Name != "git" {
			continue
		}
		if operands := c.Operands("-C", "-c"); len(operands) > 1 {
			switch operands[0].Text {
			case "checkout", "reset", "switch", "fetch", "worktree":
				return true
			}
		}
	}
	return false
}
