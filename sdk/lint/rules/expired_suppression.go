package rules

import (
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var expiredSuppression = lint.Rule{
	ID: "DF2013", Name: "expired-suppression", Title: "suppression whose end has passed",
	Group: lint.SupplyChain, Severity: finding.Warning, Last: true,
	Run: func(pass *lint.Pass) {
		for _, s := range pass.Suppressions {
			if s.State == lint.Expired {
				pass.Report(s.Word, "this suppression of %s ended on %s; fix what it is about, or ask for another date", strings.Join(s.IDs, ", "), s.Until.Format(time.DateOnly))
			}
		}
	},
}
