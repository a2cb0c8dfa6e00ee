package rules

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// names is an environment in which variables have a value, but nobody asks which.
type names map[string]bool

// Get says whether the variable is defined.
func (n names) Get(name string) (string, bool) { return "x", n[name] }

// Keys returns no names: the lexer does not need them.
func (n names) Keys() []string { return nil }

// undefined returns the variables in a text that the environment does not define, sorted. One with a default of its own,
// ${X:-y}, is none.
func undefined(pass *lint.Pass, text string, env shell.EnvGetter) []string {
	if !strings.Contains(text, "$") {
		return nil
	}
	result, err := lexer.Of(pass).ProcessWordWithMatches(text, env)
	if err != nil {
		return nil
	}
	maps.DeleteFunc(result.Unmatched, func(name string, _ struct{}) bool { return hasDefault(text, name) })
	return slices.Sorted(maps.Keys(result.Unmatched))
}

// hasDefault says whether a text says what to do when the variable is not there: ${X:-y}, ${X+y}, ${X:?message}.
func hasDefault(text, name string) bool {
	_, after, ok := strings.Cut(text, "${"+name)
	after = strings.TrimPrefix(after, ":")
	return ok && after != "" && strings.IndexByte("-+?", after[0]) >= 0
}

// uses returns the variables that a text reads, sorted.
func uses(pass *lint.Pass, text string) []string {
	if !strings.Contains(text, "$") {
		return nil
	}
	result, err := lexer.Of(pass).ProcessWordWithMatches(text, names{})
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(result.Unmatched))
}

// lexer is BuildKit's, for the escape character of a file.
var lexer = lint.Share(func(pass *lint.Pass) *shell.Lex { return shell.NewLex(rune(pass.File.Escape)) })

// isPlain says whether the lexer surely leaves a text as it is: it is ASCII without variable, quote or escape.
func isPlain(text string, escape byte) bool {
	for i := range len(text) {
		if c := text[i]; c == '$' || c == '"' || c == '\'' || c == escape || c == 0 || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
