package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var badSuppression = lint.Rule{
	ID: "DF2012", Name: "bad-suppression", Title: "suppression that can't be read or is not allowed",
	Group: lint.SupplyChain, Severity: finding.Error, Last: true,
	Run: func(pass *lint.Pass) {
		for _, s := range pass.Suppressions {
			if s.State == lint.Malformed || s.State == lint.Refused {
				pass.Report(s.Word, "this suppression has no effect: %s", s.Err)
			}
		}
	},
}
