package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var hadolintIgnore = lint.Rule{
	ID: "DF2015", Name: "hadolint-ignore", Title: "# hadolint ignore, which silences hadolint",
	Group: lint.SupplyChain, Severity: finding.Info, Last: true,
	Run: func(pass *lint.Pass) { reportForeign(pass, "hadolint", "hadolint ignore") },
}
