package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var unpinnedFrontend = lint.Rule{
	ID: "DF2011", Name: "unpinned-frontend", Title: "# syntax names a frontend without a digest",
	Group: lint.SupplyChain, Severity: finding.Info, Suppressible: true,
	Run: func(pass *lint.Pass) {
		if ref, ok := frontend(pass.File); ok {
			if _, _, digest := splitRef(ref.Text); digest == "" {
				pass.Report(ref, "the frontend %s is a program that runs in every build; pin it by digest, or leave the line out", ref.Text)
			}
		}
	},
}
