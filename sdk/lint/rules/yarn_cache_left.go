package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var yarnCacheLeft = lint.Rule{
	ID: "DF5019", Name: "yarn-cache-left", Title: "yarn install that leaves its cache in the layer",
	Group: lint.Packages, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL3060"},
	Run: func(pass *lint.Pass) {
		ships := shipped.Of(pass)
		for c := range pass.Commands("yarn") {
			in := c.Script.Instruction
			operands := c.Operands(npmValues...)
			installs := len(operands) == 0 || isOneOf(operands[0].Text, "install", "add")
			if !installs || !ships[in.Stage] || c.Has("--cache-folder", "--version", "-v", "--help") || mountsCache(in) ||
				hasCacheMount(in, "/usr/local/share/.cache/yarn", "/root/.yarn") || runs(pass, in, cleansYarn) {
				continue
			}
			pass.Report(c.NameWord(), "yarn keeps what it downloads in the layer; end the RUN with yarn cache clean, or mount a cache")
		}
	},
}

func cleansYarn(c *lint.Command) bool {
	return c.Name == "yarn" && len(c.Args) > 1 && c.Args[0].Text == "cache" && c.Args[1].Text == "clean"
}
