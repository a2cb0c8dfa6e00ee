package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var addGitWithoutCommit = lint.Rule{
	ID: "DF2007", Name: "add-git-without-commit", Title: "ADD of a git repository without a commit",
	Group: lint.SupplyChain, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("add") {
			if _, ok := in.Flag("checksum"); ok || len(in.Args) < 2 {
				continue
			}
			for _, src := range in.Args[:len(in.Args)-1] {
				if isGit(src.Text) && !namesCommit(withDefaults(pass, in, src.Text)) {
					pass.Report(src, "branches and tags of a repository move; name the commit after #, or with --checksum")
				}
			}
		}
	},
}

// namesCommit says whether a git address ends in a full commit id, as #id, #id:directory or ?checksum=id.
func namesCommit(src string) bool {
	address, ref, _ := strings.Cut(strings.Trim(src, `"'`), "#")
	ref, _, _ = strings.Cut(ref, ":")
	if isCommit(ref) {
		return true
	}
	_, query, _ := strings.Cut(address, "?")
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		if (name == "checksum" || name == "commit" || name == "ref") && isCommit(value) {
			return true
		}
	}
	return false
}

// isCommit says whether a text is a full git object id.
func isCommit(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}
