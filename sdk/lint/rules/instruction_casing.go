package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var instructionCasing = lint.Rule{
	ID: "DF6017", Name: "instruction-casing", Title: "instruction in another case than most",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true, Fixes: true, SameBuild: true,
	Aliases: []string{"buildkit:ConsistentInstructionCasing"},
	Run: func(pass *lint.Pass) {
		var lower, upper int
		for _, in := range pass.File.Instructions {
			switch in.Keyword.Text {
			case in.Name:
				lower++
			case strings.ToUpper(in.Name):
				upper++
			}
		}
		for _, in := range pass.File.Instructions {
			want := strings.ToUpper(in.Name)
			if lower > upper {
				want = in.Name
			}
			if in.Keyword.Text == want {
				continue
			}
			edits := []finding.Edit{lint.Replace(in.Keyword, want)}
			if in.Name == "from" && len(in.Args) > 1 { // AS follows FROM
				edits = append(edits, lint.Replace(in.Args[1], matchCase("as", want)))
			}
			pass.Report(in.Keyword, "most instructions of the file are written as %s is, not as %s", want, in.Keyword.Text).
				Fix("write it as "+want, edits...)
		}
	},
}

// matchCase writes a word in upper case if the other one is, else in lower case.
func matchCase(word, like string) string {
	if like == strings.ToUpper(like) {
		return strings.ToUpper(word)
	}
	return strings.ToLower(word)
}
