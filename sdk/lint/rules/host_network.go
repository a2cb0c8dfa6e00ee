package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var hostNetwork = lint.Rule{
	ID: "DF2017", Name: "host-network", Title: "RUN in the network of the build machine",
	Group: lint.SupplyChain, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("run") {
			if f, ok := in.Flag("network"); ok && f.Value.Text == "host" {
				pass.Report(f.Word, "the step reaches everything that listens on the build machine; do without --network=host")
			}
		}
	},
}
