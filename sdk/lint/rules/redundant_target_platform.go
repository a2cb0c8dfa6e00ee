package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var redundantTargetPlatform = lint.Rule{
	ID: "DF1106", Name: "redundant-target-platform", Title: "FROM --platform=$TARGETPLATFORM, which is the default",
	Group: lint.Bases, Severity: finding.Info, Suppressible: true, Fixes: true, SameBuild: true,
	Aliases: []string{"buildkit:RedundantTargetPlatform"},
	Run: func(pass *lint.Pass) {
		for _, stage := range pass.File.Stages {
			if p := stage.Platform.Text; p != "$TARGETPLATFORM" && p != "${TARGETPLATFORM}" {
				continue
			}
			r := pass.Report(stage.Platform, "%s is the platform that a stage has anyway; leave --platform out", stage.Platform.Text)
			if flags := stage.From.Flags; len(flags) == 1 && flags[0].Word.Start.Line == stage.Base.Start.Line {
				r.Fix("leave --platform out", lint.Delete(flags[0].Word.Start, stage.Base.Start))
			}
		}
	},
}
