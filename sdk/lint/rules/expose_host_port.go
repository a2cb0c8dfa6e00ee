package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var exposeHostPort = lint.Rule{
	ID: "DF6007", Name: "expose-host-port", Title: "EXPOSE with an address or port of the host",
	Group: lint.Instructions, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"buildkit:ExposeInvalidFormat"},
	Run: func(pass *lint.Pass) {
		for _, p := range exposed(pass) {
			if p.host != "" {
				pass.Report(p.word, "EXPOSE can't say where the host listens; write the container's port alone: %s", p.container)
			}
		}
	},
}
