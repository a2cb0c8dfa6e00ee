package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var duplicateStageName = lint.Rule{
	ID: "DF6013", Name: "duplicate-stage-name", Title: "two stages with one name",
	Group: lint.Instructions, Severity: finding.Error,
	Aliases: []string{"hadolint:DL3024", "buildkit:DuplicateStageName"},
	Run: func(pass *lint.Pass) {
		first := map[string]*definition.Stage{}
		for _, stage := range pass.File.Stages {
			if other := first[stage.Name]; stage.Name != "" && other != nil {
				pass.Report(stage.Alias, "stage name %q is taken; from here on it means another stage than before", stage.Alias.Text).
					Related(other.Alias, "taken here")
			} else {
				first[stage.Name] = stage
			}
		}
	},
}
