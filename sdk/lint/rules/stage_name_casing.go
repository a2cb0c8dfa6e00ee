package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var stageNameCasing = lint.Rule{
	ID: "DF1110", Name: "stage-name-casing", Title: "stage name with upper-case letters",
	Group: lint.Bases, Severity: finding.Info, Suppressible: true, Fixes: true, SameBuild: true,
	Aliases: []string{"buildkit:StageNameCasing"},
	Run: func(pass *lint.Pass) {
		for _, stage := range pass.File.Stages {
			if stage.Alias.Text != stage.Name {
				// References to it need no change: they are read without regard to case.
				pass.Report(stage.Alias, "stage name %q should be in lower case", stage.Alias.Text).
					Fix("write it in lower case", lint.Replace(stage.Alias, stage.Name))
			}
		}
	},
}
