package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// npmValues are the options of npm, yarn and pnpm that take the next argument.
var npmValues = []string{"--prefix", "-C", "--registry", "--cache", "--loglevel", "--cwd", "--omit", "--include", "--only", "--workspace", "-w", "--filter", "--userconfig", "--network-timeout", "--tag", "--cache-folder"}

var npmUnpinned = lint.Rule{
	ID: "DF5018", Name: "npm-unpinned", Title: "npm package without a version",
	Group: lint.Packages, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"hadolint:DL3016"},
	Run: func(pass *lint.Pass) {
		for c := range invocations(pass, []string{"npm", "pnpm"}, npmValues, []string{"install", "i", "add"}) {
			reportUnpinned(pass, c, func(p string) bool { return !isPackageName(p) || namesNPMVersion(p) }, "PACKAGE@1.2.3")
		}
	},
}

// isPackageName says whether an operand of npm install names a package of the registry, not a folder, file or URL.
func isPackageName(p string) bool {
	if p == "" || strings.HasPrefix(p, ".") || strings.HasPrefix(p, "/") || strings.HasPrefix(p, "~") || strings.Contains(p, ":") ||
		strings.HasSuffix(p, ".tgz") || strings.HasSuffix(p, ".tar.gz") {
		return false
	}
	return strings.HasPrefix(p, "@") || !strings.Contains(p, "/") // user/repository is one at GitHub
}

// namesNPMVersion says whether a package has a version behind an @ that does not begin its name.
func namesNPMVersion(p string) bool {
	i := strings.LastIndexByte(p, '@')
	return i > 0 && p[i+1:] != "latest" && p[i+1:] != "next" && p[i+1:] != ""
}
