package rules

import (
	"iter"
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// pipValues are the options of pip that take the next argument.
var pipValues = []string{
	"-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-t", "--target", "-i", "--index-url", "--extra-index-url",
	"-f", "--find-links", "--trusted-host", "--prefix", "--root", "--python-version", "--platform", "--only-binary", "--no-binary",
	"--timeout", "--retries", "--proxy", "--cache-dir", "--log", "-b", "--build", "--src", "--upgrade-strategy", "--python",
	"--config-settings", "-C", "--global-option", "--install-option", "--default-timeout", "--progress-bar", "--abi", "--implementation",
}

// pips yields the commands of pip with one of the verbs, those as python -m pip among them.
func pips(pass *lint.Pass, verbs ...string) iter.Seq[invocation] {
	return func(yield func(invocation) bool) {
		for c := range pass.Commands("pip", "pip2", "pip3", "pip3.9", "pip3.10", "pip3.11", "pip3.12", "pip3.13", "python", "python2", "python3") {
			if i := moduleIndex(c, "pip"); i > 0 {
				c = &lint.Command{Script: c.Script, Name: "pip", Args: c.Args[i:], Via: c.Via, Stmt: c.Stmt, Call: c.Call}
			} else if c.Name[:2] == "py" {
				continue
			}
			if verb, ok := c.Verb(pipValues...); ok && slices.Contains(verbs, verb.Text) && !yield(invocation{c, verb, pipValues}) {
				return
			}
		}
	}
}

// moduleIndex returns where the arguments of a module begin that python runs with -m; 0 if it does not.
func moduleIndex(c *lint.Command, module string) int {
	for i, a := range c.Args {
		if a.Text == "-m" && i+1 < len(c.Args) && c.Args[i+1].Text == module {
			return i + 2
		}
		if !a.IsFlag() {
			break
		}
	}
	return 0
}
