package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var insecureRun = lint.Rule{
	ID: "DF2016", Name: "insecure-run", Title: "RUN without a sandbox",
	Group: lint.SupplyChain, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("run") {
			if f, ok := in.Flag("security"); ok && f.Value.Text == "insecure" {
				pass.Report(f.Word, "the step runs with all privileges on the build machine; do without --security=insecure")
			}
			for _, f := range in.Flags {
				if f.Name == "device" {
					pass.Report(f.Word, "the step gets a device of the build machine; do without --device")
				}
			}
		}
	},
}
