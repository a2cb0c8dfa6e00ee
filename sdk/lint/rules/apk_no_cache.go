package rules

import (
	"iter"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var apkNoCache = lint.Rule{
	ID: "DF5008", Name: "apk-no-cache", Title: "apk add that leaves its index in the layer",
	Group: lint.Packages, Severity: finding.Warning, Suppressible: true, Fixes: true,
	Aliases: []string{"hadolint:DL3019"},
	Run: func(pass *lint.Pass) {
		for c := range apk(pass, "add") {
			if c.Has("--no-cache") || hasCacheMount(c.Script.Instruction, "/var/cache/apk", "/etc/apk/cache") || removes(c.Script, "/var/cache/apk") {
				continue
			}
			c.offer(pass.Report(c.verb.Word(), "apk add leaves the package index in the layer; add --no-cache"), "--no-cache")
		}
	},
}

// apkValues are the options of apk that take the next argument.
var apkValues = []string{"-t", "--virtual", "-X", "--repository", "-p", "--root", "--repositories-file", "--keys-dir", "--cache-dir", "--arch", "--wait"}

// apk yields the commands of apk with one of the verbs.
func apk(pass *lint.Pass, verbs ...string) iter.Seq[invocation] {
	return invocations(pass, []string{"apk"}, apkValues, verbs)
}

// hasCacheMount says whether a RUN keeps one of the directories, or one above it, out of the layer by a mount.
func hasCacheMount(in *definition.Instruction, dirs ...string) bool {
	for _, f := range in.Flags {
		if f.Name != "mount" {
			continue
		}
		kind, target := "bind", ""
		for _, field := range f.Fields() {
			switch field.Name {
			case "type":
				kind = field.Value.Text
			case "target", "dst", "destination":
				target = field.Value.Text
			}
		}
		for _, dir := range dirs {
			if (kind == "cache" || kind == "tmpfs") && isUnder(dir, target) {
				return true
			}
		}
	}
	return false
}
