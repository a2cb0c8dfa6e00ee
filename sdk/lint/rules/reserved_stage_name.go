package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var reservedStageName = lint.Rule{
	ID: "DF1109", Name: "reserved-stage-name", Title: "stage named scratch or context",
	Group: lint.Bases, Severity: finding.Error,
	Aliases: []string{"buildkit:ReservedStageName"},
	Run: func(pass *lint.Pass) {
		for _, stage := range pass.File.Stages {
			if stage.Name == "scratch" || stage.Name == "context" {
				pass.Report(stage.Alias, "%q has a meaning of its own in a Dockerfile; give the stage another name", stage.Alias.Text)
			}
		}
	},
}
