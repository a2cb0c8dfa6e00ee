package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var goUnpinned = lint.Rule{
	ID: "DF5021", Name: "go-unpinned", Title: "Go program installed without a version",
	Group: lint.Packages, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"hadolint:DL3062"},
	Run: func(pass *lint.Pass) {
		values := []string{"-ldflags", "-tags", "-mod", "-modfile", "-gcflags", "-asmflags", "-p", "-C", "-o", "-buildmode"}
		for c := range invocations(pass, []string{"go"}, values, []string{"install", "get", "run"}) {
			for _, p := range c.packages() {
				if isGoModule(p.Text) && p.Literal && !namesGoVersion(p.Text) {
					pass.Report(p.Word(), "%s is built in whatever version there is that day; name one, as @v1.2.3", p.Text)
				}
				if c.verb.Text == "run" {
					break // what follows is for the program
				}
			}
		}
	},
}

// isGoModule says whether a package path begins with a host.
func isGoModule(p string) bool {
	host, _, ok := strings.Cut(p, "/")
	return ok && strings.Contains(strings.Trim(host, "."), ".") && !strings.HasSuffix(p, ".go")
}

func namesGoVersion(p string) bool {
	_, version, ok := strings.Cut(p, "@")
	return ok && !isOneOf(version, "latest", "upgrade", "patch", "master", "main", "HEAD", "")
}
