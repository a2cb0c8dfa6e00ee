package rules

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// isDownload says whether a command writes what it fetches from the network to its output.
func isDownload(c *lint.Command) bool {
	switch c.Name {
	case "curl", "http", "https":
		return true
	case "wget":
		out, ok := c.Value("-O", "--output-document")
		return ok && out.Text == "-" || hasSuffixArg(c, "O-")
	}
	return false
}

// hasSuffixArg finds clusters such as -nvO- that end in a value of their own.
func hasSuffixArg(c *lint.Command, suffix string) bool {
	for _, a := range c.Args {
		if a.IsFlag() && !strings.HasPrefix(a.Text, "--") && strings.HasSuffix(a.Text, suffix) {
			return true
		}
	}
	return false
}

// interpreters run what they read as a program.
var interpreters = map[string]bool{
	"sh": true, "bash": true, "ash": true, "dash": true, "zsh": true, "ksh": true, "mksh": true, "fish": true,
	"python": true, "python2": true, "python3": true, "perl": true, "ruby": true, "node": true, "php": true, "lua": true,
	"pwsh": true,
}

// readsProgram says whether an interpreter takes its program from its input: it has no script file and no -c or -e.
func readsProgram(c *lint.Command) bool {
	if !interpreters[c.Name] {
		return false
	}
	for _, a := range c.Args {
		switch {
		case a.Text == "-" || a.Text == "-s" || a.Text == "/dev/stdin" || a.Text == "--":
			return true // sh -s -- arguments
		case a.Text == "-c" || a.Text == "-e" || a.Text == "-m" || a.Text == "-r":
			return false
		case !a.IsFlag():
			return false
		}
	}
	return true
}

// substituted returns the commands of c's script that stand in a substitution within c's own words: $(...) or <(...).
func substituted(c *lint.Command) []*lint.Command {
	if c.Call == nil {
		return nil
	}
	var inside []*lint.Command
	for _, w := range c.Call.Args {
		syntax.Walk(w, func(n syntax.Node) bool {
			switch n.(type) {
			case *syntax.CmdSubst, *syntax.ProcSubst:
				for _, other := range c.Script.Commands {
					if other.Call != nil && other != c && within(other.Call, n) {
						inside = append(inside, other)
					}
				}
				return false
			}
			return true
		})
	}
	return inside
}

func within(n, outer syntax.Node) bool {
	return !outer.Pos().After(n.Pos()) && !n.End().After(outer.End())
}
