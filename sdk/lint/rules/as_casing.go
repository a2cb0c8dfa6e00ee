package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var asCasing = lint.Rule{
	ID: "DF6018", Name: "as-casing", Title: "FROM and AS in different case",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true, Fixes: true, SameBuild: true,
	Aliases: []string{"buildkit:FromAsCasing"},
	Run: func(pass *lint.Pass) {
		for _, stage := range pass.File.Stages {
			if stage.Alias.IsZero() || len(stage.From.Args) < 2 {
				continue
			}
			from, as := stage.From.Keyword.Text, stage.From.Args[1]
			if want := matchCase("as", from); as.Text != want && (from == strings.ToLower(from) || from == strings.ToUpper(from)) {
				pass.Report(as, "%s and %s are in different case", from, as.Text).Fix("write it as "+want, lint.Replace(as, want))
			}
		}
	},
}
