package rules

import (
	"errors"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var unparsableScript = lint.Rule{
	ID: "DF6029", Name: "unparsable-script", Title: "script that the shell can't read",
	Group: lint.Instructions, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for _, s := range pass.Scripts {
			if s.Err == nil || errors.Is(s.Err, lint.ErrForeign) {
				continue
			}
			why := s.Err.Error()
			if syntaxError, ok := errors.AsType[syntax.ParseError](s.Err); ok {
				why = strings.TrimSuffix(syntaxError.Text, ".")
			}
			pass.Report(s.Instruction.Keyword, "%s can't read this script, so nothing in it was judged: %s", s.ShellName(), why)
		}
	},
}
