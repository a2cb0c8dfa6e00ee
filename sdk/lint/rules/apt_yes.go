package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var aptYes = lint.Rule{
	ID: "DF5002", Name: "apt-yes", Title: "apt-get install that asks a question",
	Group: lint.Packages, Severity: finding.Warning, Suppressible: true, Fixes: true,
	Aliases: []string{"hadolint:DL3014"},
	Run: func(pass *lint.Pass) {
		for c := range apt(pass, "install", "reinstall", "upgrade", "dist-upgrade", "full-upgrade", "remove", "purge", "autoremove", "build-dep") {
			if c.Has("-y", "--yes", "--assume-yes", "--force-yes", "-s", "--simulate", "--dry-run", "-d", "--download-only") || c.Unknown() || quiet(c) || fedYes(c.Command) {
				continue
			}
			c.offer(pass.Report(c.verb.Word(), "%s %s asks before it goes on, and nobody answers in a build; add --yes", c.Name, c.verb.Text), "--yes")
		}
	},
}

// quiet says whether -q stands twice, which means yes.
func quiet(c invocation) bool {
	n := 0
	for _, a := range c.Args {
		switch a.Text {
		case "-qq":
			return true
		case "-q", "--quiet":
			n++
		case "-q=2", "--quiet=2":
			return true
		}
	}
	return n > 1
}

// fedYes says whether `yes |` answers for a command.
func fedYes(c *lint.Command) bool {
	for _, p := range c.Script.Pipelines {
		for i, stage := range p.Stages {
			for _, other := range stage {
				if other == c && i > 0 && len(p.Stages[0]) > 0 && (p.Stages[0][0].Name == "yes" || p.Stages[0][0].Name == "echo") {
					return true
				}
			}
		}
	}
	return false
}
