package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var wgetProgress = lint.Rule{
	ID: "DF6028", Name: "wget-progress", Title: "wget that fills the log with its progress bar",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL3047"},
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands("wget") {
			quiet := c.Has("-q", "--quiet", "-nv", "--no-verbose", "--progress", "-o", "--output-file", "-a", "--spider", "--version") || hasSuffixArg(c, "O-")
			if !quiet && !c.Unknown() {
				pass.Report(c.NameWord(), "wget writes thousands of progress lines to the log; add -nv or --progress=dot:giga")
			}
		}
	},
}
