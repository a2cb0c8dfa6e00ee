package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var copyRelativeDestination = lint.Rule{
	ID: "DF6022", Name: "copy-relative-destination", Title: "copy to a relative path with no WORKDIR before it",
	Group: lint.Instructions, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"hadolint:DL3045"},
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("copy", "add") {
			if len(in.Args) < 2 {
				continue
			}
			if dst := in.Args[len(in.Args)-1]; !isAbsolute(dst.Text) && !hasAnyWorkdir(pass, in) {
				pass.Report(dst, "%s is relative to where the base image starts; set WORKDIR, or write the absolute path", dst.Text)
			}
		}
	},
}

// hasAnyWorkdir says whether a WORKDIR is in force before an instruction.
func hasAnyWorkdir(pass *lint.Pass, before *definition.Instruction) bool {
	for s := before.Stage; s != nil; s = pass.Parent(s) {
		for _, in := range s.Instructions {
			if in.Start.Offset >= before.Start.Offset {
				break
			}
			if in.Name == "workdir" {
				return true
			}
		}
	}
	return false
}
