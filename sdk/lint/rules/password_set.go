package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var passwordSet = lint.Rule{
	ID: "DF4009", Name: "password-set", Title: "user with a password that the image holds",
	Group: lint.Users, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands("chpasswd", "passwd", "useradd", "usermod") {
			if setsPassword(c) && !hasSecretMount(c.Script.Instruction) {
				pass.Report(c.NameWord(), "%s sets a password that is the same in every container and can be read from the image; leave the account without one", c.Name)
			}
		}
	},
}

func setsPassword(c *lint.Command) bool {
	switch c.Name {
	case "chpasswd":
		return true
	case "passwd":
		return !c.Has("-l", "--lock", "-S", "--status", "-e", "--expire", "-u", "--unlock")
	default:
		a, ok := c.Value("-p", "--password")
		return ok && !strings.HasPrefix(a.Text, "!") && !strings.HasPrefix(a.Text, "*") && a.Text != "x"
	}
}
