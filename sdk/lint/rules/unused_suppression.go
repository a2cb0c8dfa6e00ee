package rules

import (
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var unusedSuppression = lint.Rule{
	ID: "DF2014", Name: "unused-suppression", Title: "suppression that suppresses nothing",
	Group: lint.SupplyChain, Severity: finding.Warning, Last: true,
	Run: func(pass *lint.Pass) {
		for _, s := range pass.Suppressions {
			if s.State != lint.Active || s.Tool != "plimsoll" {
				continue
			}
			for _, id := range s.IDs {
				if !slices.Contains(s.Used, id) {
					pass.Report(s.Word, "nothing here breaks %s; take it out of the suppression", id)
				}
			}
		}
	},
}
