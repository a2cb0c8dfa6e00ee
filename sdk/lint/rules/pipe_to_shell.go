package rules

import (
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var pipeToShell = lint.Rule{
	ID: "DF2001", Name: "pipe-to-shell", Title: "download run without being looked at",
	Group: lint.SupplyChain, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for _, s := range pass.Scripts {
			for _, p := range s.Pipelines {
				reportPiped(pass, p)
			}
			for _, c := range s.Commands {
				reportSubstituted(pass, c)
			}
		}
	},
}

// reportPiped reports curl ... | sh, with any filters in between.
func reportPiped(pass *lint.Pass, p *lint.Pipeline) {
	var download *lint.Command
	for _, stage := range p.Stages {
		for _, c := range stage {
			if download != nil && readsProgram(c) {
				pass.Report(c.NameWord(), "%s runs what %s downloads, unseen and unverified; download to a file, check its checksum, then run it", c.Name, download.Name).
					Related(download.NameWord(), "downloaded here")
				return
			}
		}
		if i := slices.IndexFunc(stage, isDownload); i >= 0 {
			download = stage[i]
		}
	}
}

// reportSubstituted reports sh -c "$(curl ...)", eval "$(curl ...)", . <(curl ...), bash < <(curl ...) and $(curl ...).
func reportSubstituted(pass *lint.Pass, c *lint.Command) {
	runsIt := interpreters[c.Name] || c.Name == "eval" || c.Name == "source" || c.Name == "." || c.Name == "" && c.Script.Outer == nil
	if !runsIt {
		return
	}
	inside := substituted(c)
	if i := slices.IndexFunc(inside, isDownload); i >= 0 {
		name := c.Name
		if name == "" {
			name = "the shell"
		}
		pass.Report(c.NameWord(), "%s runs what %s downloads, unseen and unverified; download to a file, check its checksum, then run it", name, inside[i].Name).
			Related(inside[i].NameWord(), "downloaded here")
	}
}
