package rules

import (
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var pipefail = lint.Rule{
	ID: "DF6010", Name: "pipefail", Title: "pipeline whose first commands may fail unseen",
	Group: lint.Instructions, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"hadolint:DL4006"},
	Run: func(pass *lint.Pass) {
		for _, s := range pass.Scripts {
			if !s.Build() || len(s.Pipelines) == 0 || setsPipefail(s) {
				continue
			}
			for _, p := range s.Pipelines {
				first := p.Stages[0]
				if len(first) > 0 && !neverFails(first) {
					pass.Report(first[0].NameWord(), "when %s fails the step goes on, for a pipeline's result is that of its last command; set -o pipefail, in the script or with SHELL", commandName(first[0]))
					break // one is enough for a script
				}
			}
		}
	},
}

func commandName(c *lint.Command) string {
	if c.Name == "" {
		return "the first command"
	}
	return c.Name
}

// setsPipefail says whether a script's shell or the script itself sets the option.
func setsPipefail(s *lint.Script) bool {
	if slices.ContainsFunc(s.Shell, func(a string) bool { return strings.Contains(a, "pipefail") }) {
		return true
	}
	for outer := s.Outer; outer != nil; outer = outer.Script.Outer {
		if slices.ContainsFunc(outer.Args, func(a lint.Arg) bool { return a.Text == "pipefail" }) {
			return true
		}
	}
	return slices.ContainsFunc(s.Commands, func(c *lint.Command) bool {
		return c.Name == "set" && slices.ContainsFunc(c.Args, func(a lint.Arg) bool { return a.Text == "pipefail" })
	})
}

// neverFails says whether a stage only prints what is written in the script.
func neverFails(stage []*lint.Command) bool {
	for _, c := range stage {
		if !isOneOf(c.Name, "echo", "printf", "yes", "true", "cat") || c.Name == "cat" && len(c.Args) > 0 {
			return false
		}
	}
	return true
}
