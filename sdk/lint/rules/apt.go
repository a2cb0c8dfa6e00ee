package rules

import (
	"iter"
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// aptValues are the options of apt and apt-get that take the next argument.
var aptValues = []string{"-o", "--option", "-c", "--config-file", "-t", "--target-release", "--default-release", "-a", "--host-architecture", "-P", "--build-profiles"}

// invocation is a package manager's command with its verb: apt-get install.
type invocation struct {
	*lint.Command
	verb      lint.Arg
	withValue []string
}

// packages returns the operands after the verb.
func (c invocation) packages() []lint.Arg { return c.Operands(c.withValue...)[1:] }

// invocations yields the commands with the names whose first operand is one of the verbs. The options withValue take the
// next argument.
func invocations(pass *lint.Pass, names, withValue, verbs []string) iter.Seq[invocation] {
	return func(yield func(invocation) bool) {
		for c := range pass.Commands(names...) {
			if verb, ok := c.Verb(withValue...); ok && slices.Contains(verbs, verb.Text) && !yield(invocation{c, verb, withValue}) {
				return
			}
		}
	}
}

// offer offers to add a flag after the verb. After "--" it would be no flag.
func (c invocation) offer(r *lint.Report, flag string) {
	if c.verb.Word().Text == "" {
		return // it is the last line of a heredoc, which belongs to BuildKit
	}
	for _, a := range c.Args {
		if a.Text == "--" {
			return
		}
		if a.Text == c.verb.Text {
			break
		}
	}
	r.Fix("add "+flag, lint.Insert(c.verb.Word().End, " "+flag))
}

// apt yields the commands of apt and apt-get with one of the verbs.
func apt(pass *lint.Pass, verbs ...string) iter.Seq[invocation] {
	return invocations(pass, []string{"apt-get", "apt"}, aptValues, verbs)
}
