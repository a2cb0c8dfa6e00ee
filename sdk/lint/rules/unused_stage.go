package rules

import (
	"strconv"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var unusedStage = lint.Rule{
	ID: "DF6012", Name: "unused-stage", Title: "stage that the last one does not need",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true,
	Run: func(pass *lint.Pass) {
		used := needed(pass)
		for _, stage := range pass.File.Stages {
			if used[stage] {
				continue
			}
			at, name := stage.Base, "stage "+strconv.Itoa(stage.Index)
			if stage.Name != "" {
				at, name = stage.Alias, "stage "+stage.Name
			}
			pass.Report(at, "%s is built only when it is named as the target; delete it if nobody does", name)
		}
	},
}
