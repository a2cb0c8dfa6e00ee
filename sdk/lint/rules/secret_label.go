package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var secretLabel = lint.Rule{
	ID: "DF3003", Name: "secret-label", Title: "LABEL with the name of a secret",
	Group: lint.Secrets, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("label") {
			for _, p := range in.Pairs() {
				if isSecretName(strings.Trim(p.Name.Text, `"'`)) && strings.Trim(p.Value.Text, `"'`) != "" {
					pass.Report(p.Name, "label %s is part of the image's config, which everybody who can pull it reads; leave secrets out", p.Name.Text)
				}
			}
		}
	},
}
