package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var pipNoCacheDir = lint.Rule{
	ID: "DF5015", Name: "pip-no-cache-dir", Title: "pip install that leaves its cache in the layer",
	Group: lint.Packages, Severity: finding.Warning, Suppressible: true, Fixes: true,
	Aliases: []string{"hadolint:DL3042"},
	Run: func(pass *lint.Pass) {
		for c := range pips(pass, "install") {
			in := c.Script.Instruction
			if c.Has("--no-cache-dir", "--no-cache", "--cache-dir") || hasCacheMount(in, "/root/.cache/pip") || mountsCache(in) ||
				removesIn(pass, c.Script, "/root/.cache/pip") || setsVariable(pass, c.Script, "PIP_NO_CACHE_DIR", "PIP_CACHE_DIR") || c.Unknown() {
				continue
			}
			c.offer(pass.Report(c.verb.Word(), "pip install keeps what it downloads in the layer; add --no-cache-dir, or mount a cache"), "--no-cache-dir")
		}
	},
}
