package rules

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var credentialsWritten = lint.Rule{
	ID: "DF3008", Name: "credentials-written", Title: "credentials file written in RUN",
	Group: lint.Secrets, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands() {
			out := outputFile(c)
			if out == nil || c.Via != nil {
				continue
			}
			file := c.Script.Text()[out.Pos().Offset():out.End().Offset()]
			if isSecretFile(file) && writesSecret(c) && keeps(c, file) {
				pass.Report(c.Script.Word(out), "%s stays in the layer with the credentials in it; mount the file with RUN --mount=type=secret", file)
			}
		}
	},
}

// writesSecret says whether what a command prints has a secret in it: a variable with such a name, or the words that
// credentials files use.
func writesSecret(c *lint.Command) bool {
	for _, a := range c.Args {
		text := strings.ToLower(a.Text)
		if strings.Contains(text, "_auth") || strings.Contains(text, "_password") || strings.Contains(text, "private key") || strings.Contains(text, "password ") {
			return true
		}
	}
	secret := false
	if c.Call != nil {
		syntax.Walk(c.Call, func(n syntax.Node) bool {
			if p, ok := n.(*syntax.ParamExp); ok && p.Param != nil {
				secret = secret || isSecretName(p.Param.Value) || strings.HasSuffix(strings.ToLower(p.Param.Value), "_key")
			}
			return !secret
		})
	}
	return secret
}
