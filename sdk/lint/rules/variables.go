package rules

import (
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// names is an environment in which variables have a value, but nobody asks which.
type names map[string]bool

// Get says whether the variable is defined.
func (n names) Get(name string) (string, bool) { return "x", n[name] }

// Keys returns no names: the lexer does not need them.
func (n names) Keys() []string { return nil }

// undefined returns the variables in a text that the environment does not define, sorted. One with a default of its own,
// ${X:-y}, is none.
func undefined(text string, env shell.EnvGetter, escape byte) []string {
	if !strings.Contains(text, "$") {
		return nil
	}
	result, err := lexer(escape).ProcessWordWithMatches(text, env)
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
func uses(text string, escape byte) []string {
	if !strings.Contains(text, "$") {
		return nil
	}
	result, err := lexer(escape).ProcessWordWithMatches(text, names{})
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(result.Unmatched))
}

func lexer(escape byte) *shell.Lex {
	return shell.NewLex(rune(escape))
}
