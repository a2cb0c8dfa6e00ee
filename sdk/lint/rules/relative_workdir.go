package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var relativeWorkdir = lint.Rule{
	ID: "DF6001", Name: "relative-workdir", Title: "relative WORKDIR with no absolute one before it",
	Group: lint.Instructions, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"hadolint:DL3000", "buildkit:WorkdirRelativePath"},
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("workdir") {
			if len(in.Args) > 0 && !isAbsolute(in.Args[0].Text) && !hasWorkdir(pass, in) {
				pass.Report(in.Args[0], "WORKDIR %s depends on where the base image starts; write the absolute path", in.Args[0].Text)
			}
		}
	},
}

// hasWorkdir says whether an absolute WORKDIR is in force before an instruction, by the file alone.
func hasWorkdir(pass *lint.Pass, before *definition.Instruction) bool {
	for s := before.Stage; s != nil; s = pass.Parent(s) {
		for _, in := range s.Instructions {
			if in == before {
				break
			}
			if in.Name == "workdir" && len(in.Args) > 0 && isAbsolute(in.Args[0].Text) {
				return true
			}
		}
	}
	return false
}

// isAbsolute says whether a path is absolute on Linux or Windows, or may be for all the file says.
func isAbsolute(p string) bool {
	p = strings.Trim(p, `"'`)
	if strings.HasPrefix(p, "/") || strings.HasPrefix(p, `\`) || strings.HasPrefix(p, "$") {
		return true
	}
	return len(p) > 2 && p[1] == ':' && (p[2] == '/' || p[2] == '\\')
}
