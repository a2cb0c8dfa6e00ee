package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var baseArgWithoutDefault = lint.Rule{
	ID: "DF1104", Name: "base-arg-without-default", Title: "base image that is empty or invalid unless the caller names one",
	Group: lint.Bases, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"buildkit:InvalidDefaultArgInFrom"},
	Run: func(pass *lint.Pass) {
		args := globalArgs.Of(pass)
		for _, stage := range pass.File.Stages {
			for _, name := range undefined(pass, stage.Base.Text, &argEnv{args: args}) {
				if a, declared := args[name]; declared {
					pass.Report(stage.Base, "the base %s has no value unless the caller gives one: ARG %s has no default", stage.Base.Text, name).
						Related(a.word, "declared here without a default").
						Help("give it the default that the catalog allows")
				}
			}
		}
	},
}
