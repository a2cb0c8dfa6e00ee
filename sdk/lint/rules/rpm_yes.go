package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var rpmYes = lint.Rule{
	ID: "DF5011", Name: "rpm-yes", Title: "dnf, yum or zypper that asks a question",
	Group: lint.Packages, Severity: finding.Warning, Suppressible: true, Fixes: true,
	Aliases: []string{"hadolint:DL3030", "hadolint:DL3034", "hadolint:DL3038"},
	Run: func(pass *lint.Pass) {
		verbs := []string{"install", "in", "localinstall", "reinstall", "groupinstall", "remove", "rm", "erase", "autoremove", "update", "upgrade", "dist-upgrade", "dup", "up", "downgrade", "swap", "distro-sync"}
		for c := range rpms(pass, verbs...) {
			if c.Has("-y", "--assumeyes", "--non-interactive", "-n", "--assumeno", "--downloadonly", "--no-confirm") || c.Unknown() || fedYes(c.Command) {
				continue
			}
			c.offer(pass.Report(c.verb.Word(), "%s %s asks before it goes on, and nobody answers in a build; add -y", c.Name, c.verb.Text), "-y")
		}
	},
}
