package rules

import (
	"path"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var variableInExecForm = lint.Rule{
	ID: "DF6031", Name: "variable-in-exec-form", Title: "variable in an exec form, which nobody expands",
	Group: lint.Instructions, Severity: finding.Warning, Suppressible: true,
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("run", "cmd", "entrypoint") {
			if !in.JSON || len(in.Args) == 0 || interpreters[path.Base(in.Args[0].Text)] || !namesProgram(in.Args[0].Text) {
				continue
			}
			for i, w := range in.Args {
				if name := variableIn(w.Text); name != "" && (i == 0 || len(in.Args) > 1) {
					pass.Report(w, "no shell reads an exec form, so $%s is passed on as it is written; use the shell form with exec, or have the program read the variable", name)
					break
				}
			}
		}
	},
}

// namesProgram says whether the first word of an exec form is one; programs with a language of their own, in which $
// means something else, are none.
func namesProgram(word string) bool {
	return !isOneOf(path.Base(word), "awk", "gawk", "sed", "perl", "env", "tini", "dumb-init", "su", "gosu", "su-exec", "busybox", "cmd", "powershell", "pwsh", "cmd.exe", "powershell.exe")
}

// variableIn returns the name of an upper-case variable in a text, as $NAME or ${NAME}; "" if it has none.
func variableIn(text string) string {
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '$' {
			continue
		}
		start := i + 1
		if text[start] == '{' {
			start++
		}
		end := start
		for end < len(text) && (isUpper(text[end]) || text[end] == '_' || end > start && text[end] >= '0' && text[end] <= '9') {
			end++
		}
		if end > start {
			return text[start:end]
		}
	}
	return ""
}
