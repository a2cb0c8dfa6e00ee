package rules

import (
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

const aptLists = "/var/lib/apt/lists"

var aptListsLeft = lint.Rule{
	ID: "DF5003", Name: "apt-lists-left", Title: "apt-get update that leaves its lists in the layer",
	Group: lint.Packages, Severity: finding.Warning, Suppressible: true, Fixes: true,
	Aliases: []string{"hadolint:DL3009"},
	Run: func(pass *lint.Pass) {
		ships := shipped.Of(pass)
		safe := everyInstallUpdates(pass)
		reported := map[*lint.Script]bool{}
		for c := range apt(pass, "update") {
			in := c.Script.Instruction
			if !ships[in.Stage] || reported[c.Script] || hasCacheMount(in, aptLists) || removesIn(pass, c.Script, aptLists) || cleansLists(c.Script) {
				continue
			}
			reported[c.Script] = true
			r := pass.Report(c.verb.Word(), "%s update leaves its package lists, tens of megabytes, in the layer; remove them in the same RUN", c.Name)
			if edit, ok := appendCommand(c.Script, "rm -rf "+aptLists+"/*"); ok && safe && c.Via == nil {
				r.Fix("remove the lists", edit)
			}
		}
	},
}

// cleansLists says whether `apt-get dist-clean` or `apt-get clean` with lists does the work.
func cleansLists(s *lint.Script) bool {
	return slices.ContainsFunc(s.Commands, func(c *lint.Command) bool {
		return (c.Name == "apt-get" || c.Name == "apt") && len(c.Args) > 0 && (c.Args[0].Text == "dist-clean" || c.Args[0].Text == "distclean")
	})
}

// removesIn says whether a script of the same instruction removes a directory.
func removesIn(pass *lint.Pass, s *lint.Script, dir string) bool {
	return slices.ContainsFunc(pass.ScriptsOf(s.Instruction), func(other *lint.Script) bool { return removes(other, dir) })
}

// everyInstallUpdates says whether no apt-get install lives on lists that an earlier RUN left.
func everyInstallUpdates(pass *lint.Pass) bool {
	for c := range apt(pass, "install", "upgrade", "dist-upgrade", "build-dep") {
		updates := runs(pass, c.Script.Instruction, func(other *lint.Command) bool {
			return (other.Name == "apt-get" || other.Name == "apt") && slices.ContainsFunc(other.Args, func(a lint.Arg) bool { return a.Text == "update" })
		})
		if !updates {
			return false
		}
	}
	return true
}
