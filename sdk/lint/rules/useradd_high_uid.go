package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var useraddHighUID = lint.Rule{
	ID: "DF4008", Name: "useradd-high-uid", Title: "useradd with a large uid and without --no-log-init",
	Group: lint.Users, Severity: finding.Warning, Suppressible: true, Fixes: true,
	Aliases: []string{"hadolint:DL3046"},
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands("useradd") {
			uid, ok := c.Value("-u", "--uid")
			if ok && uid.Literal && len(uid.Text) > 5 && !c.Has("-l", "--no-log-init") {
				r := pass.Report(uid.Word(), "useradd grows /var/log/lastlog to a size by uid %s, gigabytes of zeros in the layer; add --no-log-init", uid.Text)
				if c.NameWord().Text != "" {
					r.Fix("add --no-log-init", lint.Insert(c.NameWord().End, " --no-log-init"))
				}
			}
		}
	},
}
