package rules

import (
	"iter"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// rpmTools are the package managers for rpm, which take nearly the same arguments.
var rpmTools = []string{"yum", "dnf", "dnf5", "microdnf", "tdnf", "zypper"}

// rpmValues are their options that take the next argument.
var rpmValues = []string{"-c", "--config", "-d", "-e", "-x", "--exclude", "--enablerepo", "--disablerepo", "--repo", "--repoid", "--installroot", "--releasever", "--setopt", "-r", "--root", "-R"}

// rpms yields the commands of those with one of the verbs.
func rpms(pass *lint.Pass, verbs ...string) iter.Seq[invocation] {
	return invocations(pass, rpmTools, rpmValues, verbs)
}

// install is a package of the distribution and the RUN that installs it.
type install struct {
	in   *definition.Instruction
	name lint.Arg
}

// installs are all packages of the distribution that are installed: by apt-get, apk, yum, dnf, zypper and their like.
var installs = lint.Share(func(pass *lint.Pass) []install {
	var all []install
	for _, commands := range []iter.Seq[invocation]{apt(pass, "install"), apk(pass, "add"), rpms(pass, "install", "in", "localinstall", "reinstall")} {
		for c := range commands {
			for _, p := range c.packages() {
				all = append(all, install{c.Script.Instruction, p})
			}
		}
	}
	return all
})

// packageName is a package without version and release: curl=7.88, curl~7 and curl@7 are curl.
func packageName(p string) string {
	if i := strings.IndexAny(p[min(1, len(p)):], "=<>~@"); i >= 0 {
		return p[:i+1]
	}
	return p
}

// isLocalPackage says whether an operand is a file, a URL or a group of packages rather than the name of one.
func isLocalPackage(p string) bool {
	return strings.Contains(p, "/") || strings.HasPrefix(p, "@") || strings.HasPrefix(p, ".") ||
		strings.HasSuffix(p, ".deb") || strings.HasSuffix(p, ".rpm") || strings.HasSuffix(p, ".apk")
}

// isOneOf says whether a text is one of the others.
func isOneOf(s string, all ...string) bool { return slices.Contains(all, s) }
