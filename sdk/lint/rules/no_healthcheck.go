package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var noHealthcheck = lint.Rule{
	ID: "DF6030", Name: "no-healthcheck", Title: "service without a HEALTHCHECK",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL3057"},
	Run: func(pass *lint.Pass) {
		exposes := false
		for s := pass.Final(); s != nil; s = pass.Parent(s) {
			for _, in := range s.Instructions {
				if in.Name == "healthcheck" {
					return
				}
				exposes = exposes || in.Name == "expose"
			}
		}
		final := pass.Final()
		if base, _ := pass.Base(rootBase(pass, final)); exposes && !base.Healthcheck {
			pass.Report(final.From.Keyword, "the image serves a port, and Docker can't tell whether it works; add HEALTHCHECK, or HEALTHCHECK NONE where another system asks")
		}
	},
}
