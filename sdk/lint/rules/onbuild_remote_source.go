package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var onbuildRemoteSource = lint.Rule{
	ID: "DF2022", Name: "onbuild-remote-source", Title: "ONBUILD that fetches something in every child's build",
	Group: lint.SupplyChain, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for _, in := range pass.File.Instructions {
			if in.Trigger == nil {
				continue
			}
			words := sources(in.Trigger)
			if in.Trigger.Name == "add" {
				for _, a := range in.Trigger.Args {
					if isURL(a.Text) || isGit(a.Text) {
						words = append(words, a)
					}
				}
			}
			for _, w := range words {
				pass.Report(w, "every image built on this one will read %s without naming it; fetch it here, or let the child name it", w.Text)
			}
		}
	},
}
