package rules

import (
	"strconv"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var copyFromStageNumber = lint.Rule{
	ID: "DF1108", Name: "copy-from-stage-number", Title: "stage named by its number",
	Group: lint.Bases, Severity: finding.Info, Suppressible: true, Fixes: true, SameBuild: true,
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("copy") {
			for _, w := range sources(in) {
				n, err := strconv.Atoi(w.Text)
				if err != nil || n < 0 || n >= len(pass.File.Stages) {
					continue
				}
				r := pass.Report(w, "stage %d becomes another stage when one is added before it; use its name", n)
				if stage := pass.File.Stages[n]; stage.Name != "" && pass.StageNamed(stage.Name, in.Stage) == stage {
					r.Fix("use the stage's name", lint.Replace(w, stage.Alias.Text))
				}
			}
		}
	},
}
