package rules

import (
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var unverifiedDownload = lint.Rule{
	ID: "DF2002", Name: "unverified-download", Title: "downloaded file that nothing verifies",
	Group: lint.SupplyChain, Severity: finding.Warning, Suppressible: true,
	Run: func(pass *lint.Pass) {
		checked := verifications(pass)
		for c := range pass.Commands("curl", "wget", "aria2c", "axel") {
			local := slices.ContainsFunc(c.Args, func(a lint.Arg) bool { return isLocalURL(a.Text) })
			if savesDownload(c) && !local && !verifiedLater(c.Script.Instruction, checked) {
				pass.Report(c.NameWord(), "%s keeps a file that nothing in the stage verifies; check it with sha256sum -c or a signature, or use ADD --checksum", c.Name)
			}
		}
	},
}
