package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var pointlessCommand = lint.Rule{
	ID: "DF6009", Name: "pointless-command", Title: "command that does nothing useful in a build",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL3001"},
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands("free", "top", "htop", "ps", "shutdown", "reboot", "halt", "poweroff", "systemctl", "service", "vim", "vi", "nano", "ifconfig", "dmesg", "uptime", "who", "journalctl") {
			if c.Via == nil || c.Via.Name != "command" {
				pass.Report(c.NameWord(), "%s has nothing to do in a build: no service runs, nobody looks on, and what it starts is gone when the RUN ends", c.Name)
			}
		}
	},
}
