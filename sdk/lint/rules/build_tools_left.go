package rules

import (
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var buildToolsLeft = lint.Rule{
	ID: "DF5022", Name: "build-tools-left", Title: "compiler left in the image",
	Group: lint.Packages, Severity: finding.Info, Suppressible: true,
	Run: func(pass *lint.Pass) {
		reportLeft(pass, buildTools, "%s stays in the image, where an attacker can build with it; build in a stage of its own, or remove it in the same RUN")
	},
}

// buildTools are packages that a running service has no use for.
var buildTools = []string{
	"autoconf", "automake", "bison", "build-base", "build-essential", "cargo", "clang", "cmake", "flex", "g++", "gcc", "gcc-c++", "go",
	"golang", "golang-go", "libtool", "linux-headers", "llvm", "make", "meson", "musl-dev", "libc-dev", "libc6-dev", "ninja-build",
	"openjdk-17-jdk", "openjdk-21-jdk", "python3-dev", "rust", "rustc",
}

// reportLeft reports packages of the list that a shipped stage installs and its RUN does not remove.
func reportLeft(pass *lint.Pass, list []string, message string) {
	ships := shipped.Of(pass)
	for _, p := range installs.Of(pass) {
		name := packageName(p.name.Text)
		if slices.Contains(list, name) && ships[p.in.Stage] && !runs(pass, p.in, removesPackages) {
			pass.Report(p.name.Word(), message, name)
		}
	}
}

// removesPackages says whether a command removes packages.
func removesPackages(c *lint.Command) bool {
	switch c.Name {
	case "apt-get", "apt", "apk", "yum", "dnf", "microdnf", "zypper", "tdnf", "dnf5":
		return slices.ContainsFunc(c.Args, func(a lint.Arg) bool {
			return isOneOf(a.Text, "remove", "purge", "autoremove", "del", "erase", "rm", "--auto-remove")
		})
	}
	return false
}
