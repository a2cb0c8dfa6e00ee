package lint

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

// Command is one simple command: a name and its arguments. A command that runs another, as sudo or xargs do, is one
// command and what it runs is the next.
type Command struct {
	// Script is where it stands.
	Script *Script
	// Name is the base name of the program: "apt-get" for /usr/bin/apt-get. It is "" when it is known only at run time.
	Name string
	// Args are the words after the name.
	Args []Arg
	// Via is the command that runs this one, such as sudo; nil when the shell does.
	Via *Command
	// Stmt and Call are its nodes; nil in exec form.
	Stmt *syntax.Stmt
	Call *syntax.CallExpr

	name Arg
}

// Arg is one word of a command.
type Arg struct {
	// Text is the word with quotes and escapes taken out. What only the run knows ("$X") stays as written.
	Text string
	// Literal says that Text is all there is: no variable, substitution or pattern stands in the word.
	Literal bool

	word       *definition.Word // in exec form
	script     *Script          // otherwise
	start, end int
	syntax     *syntax.Word
}

// Word is the argument's place, quotes included.
func (a Arg) Word() definition.Word {
	switch {
	case a.script != nil:
		return a.script.word(a.start, a.end)
	case a.word != nil:
		return *a.word
	}
	return definition.Word{}
}

// IsFlag says whether the argument starts with a dash and is more than that.
func (a Arg) IsFlag() bool { return len(a.Text) > 1 && a.Text[0] == '-' }

// NameWord is the place of the command's name.
func (c *Command) NameWord() definition.Word { return c.name.Word() }

// Word is the place of the command from its name to its last argument.
func (c *Command) Word() definition.Word {
	first, last := c.name.Word(), c.name.Word()
	if n := len(c.Args); n > 0 {
		last = c.Args[n-1].Word()
	}
	if c.name.script != nil {
		return c.Script.word(c.name.start, max(c.name.end, c.lastEnd()))
	}
	return definition.Word{Text: first.Text, Start: first.Start, End: last.End}
}

func (c *Command) lastEnd() int {
	if n := len(c.Args); n > 0 {
		return c.Args[n-1].end
	}
	return c.name.end
}

// Is says whether the argument is one of the flags: "--yes" also as --yes=..., "-y" also within a cluster such as -qy.
func (a Arg) Is(flags ...string) bool {
	return a.IsFlag() && slices.ContainsFunc(flags, func(f string) bool { return isFlag(a.Text, f) })
}

// Has says whether one of the flags is given, see [Arg.Is], before "--".
func (c *Command) Has(flags ...string) bool {
	for _, a := range c.Args {
		if a.Text == "--" {
			break
		}
		if a.Is(flags...) {
			return true
		}
	}
	return false
}

func isFlag(text, flag string) bool {
	if name, _, ok := strings.Cut(text, "="); text == flag || ok && name == flag && strings.HasPrefix(flag, "--") {
		return true
	}
	return len(flag) == 2 && text[1] != '-' && strings.IndexByte(text[1:], flag[1]) >= 0 && isLetters(text[1:])
}

func isLetters(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// Value returns the value of the first of the flags that is given: --flag value, --flag=value, -f value or -fvalue.
func (c *Command) Value(flags ...string) (Arg, bool) {
	for i, a := range c.Args {
		if a.Text == "--" {
			break
		}
		if !a.IsFlag() {
			continue
		}
		for _, f := range flags {
			rest, ok := strings.CutPrefix(a.Text, f)
			long := strings.HasPrefix(f, "--")
			switch {
			case ok && rest == "", !ok && isFlag(a.Text, f) && a.Text[len(a.Text)-1] == f[1]:
				if i+1 < len(c.Args) {
					return c.Args[i+1], true
				}
			case ok && rest[0] == '=':
				a.Text = rest[1:]
				return a, true
			case ok && !long:
				a.Text = rest
				return a, true
			}
		}
	}
	return Arg{}, false
}

// Operands returns the arguments that are not flags, and not the value of one of the flags named, which take theirs as
// the next argument. After "--" everything is an operand.
func (c *Command) Operands(withValue ...string) []Arg {
	operands := make([]Arg, 0, len(c.Args))
	for i := 0; i < len(c.Args); i++ {
		a := c.Args[i]
		switch {
		case a.Text == "--":
			return append(operands, c.Args[i+1:]...)
		case !a.IsFlag():
			operands = append(operands, a)
		case slices.Contains(withValue, a.Text):
			i++
		}
	}
	return operands
}

// Verb returns the first operand, such as install in apt-get -q install curl; see [Command.Operands].
func (c *Command) Verb(withValue ...string) (Arg, bool) {
	for i := 0; i < len(c.Args); i++ {
		a := c.Args[i]
		switch {
		case a.Text == "--":
			if i+1 < len(c.Args) {
				return c.Args[i+1], true
			}
		case !a.IsFlag():
			return a, true
		case slices.Contains(withValue, a.Text):
			i++
		}
	}
	return Arg{}, false
}

// Unknown says whether an argument may hold flags that only the run knows: a word that is one variable or substitution
// without quotes.
func (c *Command) Unknown() bool {
	return slices.ContainsFunc(c.Args, func(a Arg) bool {
		if a.syntax == nil || len(a.syntax.Parts) != 1 {
			return false
		}
		switch a.syntax.Parts[0].(type) {
		case *syntax.ParamExp, *syntax.CmdSubst:
			return true
		}
		return false
	})
}
