package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var extraIndexURL = lint.Rule{
	ID: "DF2021", Name: "extra-index-url", Title: "pip with two package indexes",
	Group: lint.SupplyChain, Severity: finding.Warning, Suppressible: true,
	Run: func(pass *lint.Pass) {
		const message = "pip takes the highest version that either index has, so anyone may publish a private name on the public one; use one --index-url that proxies both"
		for c := range pips(pass, "install", "download", "wheel") {
			if a, ok := c.Value("--extra-index-url"); ok {
				pass.Report(a.Word(), message)
			}
		}
		for in := range pass.Instructions("env", "arg") {
			for _, p := range in.Pairs() {
				if p.Name.Text == "PIP_EXTRA_INDEX_URL" && p.Value.Text != "" {
					pass.Report(p.Name, message)
				}
			}
		}
	},
}
