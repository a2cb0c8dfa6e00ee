package rules

import (
	"encoding/json"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var shellFormCommand = lint.Rule{
	ID: "DF6005", Name: "shell-form-command", Title: "CMD or ENTRYPOINT in shell form",
	Group: lint.Instructions, Severity: finding.Warning, Suppressible: true, Fixes: true,
	Aliases: []string{"hadolint:DL3025", "buildkit:JSONArgsRecommended"},
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("cmd", "entrypoint") {
			if in.JSON || len(in.Args) == 0 || setsShell(pass, in) || looksLikeExecForm(in.Args[0].Text) {
				continue // a list that is not JSON is DF6032's
			}
			r := pass.Report(in.Keyword, "%s in shell form runs under a shell, which does not pass signals on: the container is killed, not stopped; write it as [\"program\", \"argument\"]", in.Keyword.Text)
			if words, ok := plainWords(pass, in); ok {
				r.Fix("write it in exec form", lint.Replace(in.Args[0], jsonList(words)))
			}
		}
	},
}

// setsShell says whether a SHELL comes before the instruction in its stage: then the author wants one.
func setsShell(pass *lint.Pass, before *definition.Instruction) bool {
	for s := before.Stage; s != nil; s = pass.Parent(s) {
		for _, in := range s.Instructions {
			if in == before {
				break
			}
			if in.Name == "shell" {
				return true
			}
		}
	}
	return false
}

// plainWords returns the words of a script that is one command with nothing for a shell to do.
func plainWords(pass *lint.Pass, in *definition.Instruction) ([]string, bool) {
	for _, s := range pass.ScriptsOf(in) {
		if s.Outer != nil || s.File == nil || len(s.File.Stmts) != 1 || len(s.File.Last) > 0 {
			continue
		}
		stmt := s.File.Stmts[0]
		call, ok := stmt.Cmd.(*syntax.CallExpr)
		if !ok || len(call.Assigns) > 0 || len(stmt.Redirs) > 0 || stmt.Negated || stmt.Background || stmt.Semicolon.IsValid() || len(s.Commands) == 0 {
			return nil, false
		}
		c := s.Commands[0]
		words := []string{commandText(c)}
		for _, a := range c.Args {
			if !a.Literal {
				return nil, false
			}
			words = append(words, a.Text)
		}
		special := slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "~") || strings.ContainsAny(w, "{}") })
		return words, !special && c.Name != "" && !shellBuiltins[c.Name]
	}
	return nil, false
}

// commandText is a command's name with its path, as it is written.
func commandText(c *lint.Command) string { return strings.Trim(c.NameWord().Text, `"'`) }

// shellBuiltins are names that mean something, or something else, to a shell alone.
var shellBuiltins = map[string]bool{
	".": true, ":": true, "alias": true, "bg": true, "break": true, "cd": true, "command": true, "continue": true, "eval": true, "exec": true,
	"exit": true, "export": true, "fg": true, "getopts": true, "hash": true, "jobs": true, "read": true, "readonly": true, "return": true,
	"set": true, "shift": true, "source": true, "times": true, "trap": true, "type": true, "ulimit": true, "umask": true, "unalias": true,
	"unset": true, "wait": true,
}

// jsonList writes words as an exec form.
func jsonList(words []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		var text strings.Builder
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(w) // a string is always encoded
		b.WriteString(strings.TrimSuffix(text.String(), "\n"))
	}
	b.WriteByte(']')
	return b.String()
}
