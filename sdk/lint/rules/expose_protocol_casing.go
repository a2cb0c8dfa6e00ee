package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var exposeProtocolCasing = lint.Rule{
	ID: "DF6008", Name: "expose-protocol-casing", Title: "EXPOSE with a protocol in upper case",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true, Fixes: true, SameBuild: true,
	Aliases: []string{"buildkit:ExposeProtoCasing"},
	Run: func(pass *lint.Pass) {
		for _, p := range exposed(pass) {
			if lower := strings.ToLower(p.protocol); p.protocol != lower {
				n := len(p.word.Text)
				protocol := p.word.Slice(n-len(p.protocol), n)
				pass.Report(protocol, "protocol %s should be in lower case", p.protocol).Fix("write it in lower case", lint.Replace(protocol, lower))
			}
		}
	},
}
