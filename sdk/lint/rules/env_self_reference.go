package rules

import (
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var envSelfReference = lint.Rule{
	ID: "DF6024", Name: "env-self-reference", Title: "ENV that uses a variable which it sets itself",
	Group: lint.Instructions, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"hadolint:DL3044"},
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("env") {
			pairs := in.Pairs()
			for _, p := range pairs {
				for _, name := range uses(pass, p.Value.Text) {
					i := slices.IndexFunc(pairs, func(other definition.Pair) bool { return other.Name.Text == name })
					if i >= 0 && name != p.Name.Text {
						pass.Report(p.Value, "$%s has its old value here, not the one that the same ENV gives it; use a second ENV", name).
							Related(pairs[i].Name, "set here")
					}
				}
			}
		}
	},
}
