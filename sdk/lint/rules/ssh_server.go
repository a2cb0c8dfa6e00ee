package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var sshServer = lint.Rule{
	ID: "DF4005", Name: "ssh-server", Title: "ssh server in the image",
	Group: lint.Users, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		const message = "an ssh server is a way in that needs keys, users and updates of its own; use the runtime's exec"
		for _, p := range installs.Of(pass) {
			if name := packageName(p.name.Text); name == "openssh-server" || name == "dropbear" {
				pass.Report(p.name.Word(), message)
			}
		}
		for _, s := range pass.Scripts {
			for _, c := range s.Commands {
				if c.Name == "sshd" || c.Name == "dropbear" {
					pass.Report(c.NameWord(), message)
				}
			}
		}
		for in := range pass.Instructions("expose") {
			for _, a := range in.Args {
				if port, _, _ := strings.Cut(a.Text, "/"); port == "22" {
					pass.Report(a, message)
				}
			}
		}
	},
}
