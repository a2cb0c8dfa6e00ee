package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var aptUpdateAlone = lint.Rule{
	ID: "DF5004", Name: "apt-update-alone", Title: "apt-get update in a RUN that installs nothing",
	Group: lint.Packages, Severity: finding.Warning, Suppressible: true,
	Run: func(pass *lint.Pass) {
		for c := range apt(pass, "update") {
			installs := runs(pass, c.Script.Instruction, func(other *lint.Command) bool {
				return other != c.Command && readsLists(other)
			})
			if !installs && !hasCacheMount(c.Script.Instruction, aptLists) {
				pass.Report(c.verb.Word(), "%s update in a RUN of its own is cached, and a later install works with old lists; put both into one RUN", c.Name)
			}
		}
	},
}

// readsLists says whether a command may use the package lists: anything that is not apt-get update itself, is not a
// shell builtin, and could install.
func readsLists(c *lint.Command) bool {
	switch c.Name {
	case "apt-get", "apt", "aptitude":
		operands := c.Operands(aptValues...)
		return len(operands) > 0 && operands[0].Text != "update" && operands[0].Text != "clean"
	case "apt-cache", "apt-mark", "mk-build-deps", "tasksel", "debootstrap", "xargs", "":
		return true
	}
	return interpreters[c.Name] || len(c.Name) > 8 && c.Name[:8] == "install_"
}
