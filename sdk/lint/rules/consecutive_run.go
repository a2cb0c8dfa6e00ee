package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// manyRuns is how many RUN in a row are worth a word: a few keep the cache fine-grained.
const manyRuns = 4

var consecutiveRun = lint.Rule{
	ID: "DF6026", Name: "consecutive-run", Title: "many RUN in a row",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL3059"},
	Run: func(pass *lint.Pass) {
		ships := shipped.Of(pass)
		for _, stage := range pass.File.Stages {
			row := 0
			for _, in := range stage.Instructions {
				if in.Name != "run" || len(in.Flags) > 0 {
					row = 0
					continue
				}
				if row++; row == manyRuns && ships[stage] {
					pass.Report(in.Keyword, "%d RUN in a row make %d layers, and what one leaves the next can't take away; join those that belong together", row, row)
				}
			}
		}
	},
}
