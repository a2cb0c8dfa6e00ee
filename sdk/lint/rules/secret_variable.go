package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var secretVariable = lint.Rule{
	ID: "DF3001", Name: "secret-variable", Title: "ARG or ENV with the name of a secret",
	Group: lint.Secrets, Severity: finding.Error,
	Aliases: []string{"buildkit:SecretsUsedInArgOrEnv"},
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("arg", "env") {
			for _, p := range in.Pairs() {
				value := strings.Trim(p.Value.Text, `"'`)
				empty := in.Name == "env" && value == "" // for the running service to fill
				if isSecretName(p.Name.Text) && !empty && !namesFile(value) {
					pass.Report(p.Name, "%s %s stays in the image's history for all to read; use RUN --mount=type=secret", in.Keyword.Text, p.Name.Text)
				}
			}
		}
	},
}

// namesFile says whether a value is a path rather than a secret.
func namesFile(value string) bool {
	for _, start := range []string{"/", "./", "~/"} {
		if strings.HasPrefix(value, start) {
			return true
		}
	}
	for _, end := range []string{".key", ".pem", ".crt", ".txt", ".json"} {
		if strings.HasSuffix(value, end) {
			return true
		}
	}
	return false
}
