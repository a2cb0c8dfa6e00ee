package rules

import (
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var rpmCacheLeft = lint.Rule{
	ID: "DF5012", Name: "rpm-cache-left", Title: "dnf, yum or zypper that leaves its cache in the layer",
	Group: lint.Packages, Severity: finding.Warning, Suppressible: true, Fixes: true,
	Aliases: []string{"hadolint:DL3032", "hadolint:DL3036", "hadolint:DL3040"},
	Run: func(pass *lint.Pass) {
		ships := shipped.Of(pass)
		reported := map[*lint.Script]bool{}
		for c := range rpms(pass, "install", "in", "localinstall", "reinstall", "groupinstall", "update", "upgrade", "makecache") {
			in := c.Script.Instruction
			if !ships[in.Stage] || reported[c.Script] || hasCacheMount(in, "/var/cache/"+cacheOf(c.Name)) || runs(pass, in, cleansRPM) {
				continue
			}
			reported[c.Script] = true
			clean := c.Name + " clean all"
			if c.Name == "zypper" {
				clean = "zypper clean --all"
			}
			r := pass.Report(c.verb.Word(), "%s leaves its cache in the layer; end the RUN with %s", c.Name, clean)
			if edit, ok := appendCommand(c.Script, clean); ok && c.Via == nil {
				r.Fix("add "+clean, edit)
			}
		}
	},
}

// cacheOf is the folder under /var/cache that a tool uses.
func cacheOf(tool string) string {
	switch tool {
	case "zypper":
		return "zypp"
	case "yum", "tdnf":
		return tool
	case "dnf5", "microdnf":
		return "libdnf5"
	}
	return "dnf"
}

// cleansRPM says whether a command empties one of the caches.
func cleansRPM(c *lint.Command) bool {
	if slices.Contains(rpmTools, c.Name) {
		return slices.ContainsFunc(c.Args, func(a lint.Arg) bool { return a.Text == "clean" || a.Text == "cc" })
	}
	return c.Name == "rm" && slices.ContainsFunc(c.Args, func(a lint.Arg) bool {
		for _, dir := range []string{"dnf", "yum", "zypp", "tdnf", "libdnf5"} {
			if isUnder("/var/cache/"+dir, trimGlob(a.Text)) {
				return true
			}
		}
		return false
	})
}
