package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var undeclaredArgInFrom = lint.Rule{
	ID: "DF1103", Name: "undeclared-arg-in-from", Title: "FROM uses a variable that no ARG before it declares",
	Group: lint.Bases, Severity: finding.Error,
	Aliases: []string{"buildkit:UndefinedArgInFrom"},
	Run: func(pass *lint.Pass) {
		args := globalArgs.Of(pass)
		for _, stage := range pass.File.Stages {
			for _, w := range []definition.Word{stage.Base, stage.Platform} {
				for _, name := range undefined(pass, w.Text, &argEnv{args: args}) {
					if _, declared := args[name]; declared {
						continue // without a default; DF1104 looks at that
					}
					r := pass.Report(w, "%s uses $%s, which no ARG before the first FROM declares; it is always empty", w.Text, name)
					if near := nearest(name, args); near != "" {
						r.Help("did you mean $" + near + "?")
					} else {
						r.Help("declare it before the first FROM: ARG " + name + "=...")
					}
				}
			}
		}
	},
}

// nearest returns the declared name that differs from name by case or one letter.
func nearest(name string, args map[string]argument) string {
	best := ""
	for n := range args {
		if (strings.EqualFold(n, name) || oneEdit(n, name)) && (best == "" || n < best) {
			best = n
		}
	}
	return best
}

// oneEdit says whether one letter added, left out or changed makes a of b.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	return a[i:] == b[i+1:] || len(a) == len(b) && a[min(i+1, len(a)):] == b[i+1:]
}
