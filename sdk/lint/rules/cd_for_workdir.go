package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var cdForWorkdir = lint.Rule{
	ID: "DF6003", Name: "cd-for-workdir", Title: "RUN that is only a cd, or begins with one",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL3003"},
	Run: func(pass *lint.Pass) {
		for _, s := range pass.Scripts {
			if !s.Build() || s.Outer != nil || len(s.Commands) == 0 || s.File == nil {
				continue
			}
			c := s.Commands[0]
			if c.Name == "cd" && len(c.Args) == 1 && strings.HasPrefix(c.Args[0].Text, "/") {
				pass.Report(c.NameWord(), "cd %s is forgotten when the RUN ends; WORKDIR says where this step and the next ones work", c.Args[0].Text)
			}
		}
	},
}
