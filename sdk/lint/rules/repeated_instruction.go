package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var repeatedInstruction = lint.Rule{
	ID: "DF6004", Name: "repeated-instruction", Title: "CMD, ENTRYPOINT or HEALTHCHECK that a later one replaces",
	Group: lint.Instructions, Severity: finding.Warning, Suppressible: true, Fixes: true, SameBuild: true,
	Aliases: []string{"hadolint:DL4003", "hadolint:DL4004", "hadolint:DL3012", "buildkit:MultipleInstructionsDisallowed"},
	Run: func(pass *lint.Pass) {
		for _, stage := range pass.File.Stages {
			last := map[string]*definition.Instruction{}
			for _, in := range stage.Instructions {
				switch in.Name {
				case "cmd", "entrypoint", "healthcheck":
					if before := last[in.Name]; before != nil {
						pass.Report(before.Keyword, "this %s has no effect: a later one in the stage replaces it", before.Keyword.Text).
							Related(in.Keyword, "replaced here").
							Fix("delete it", deleteInstruction(pass.File, before))
					}
					last[in.Name] = in
				}
			}
		}
	},
}

// deleteInstruction is the edit that takes an instruction out with its line break and the space before it.
func deleteInstruction(f *definition.File, in *definition.Instruction) finding.Edit {
	start, end := in.Start, in.End
	for start.Offset > 0 && (f.Src[start.Offset-1] == ' ' || f.Src[start.Offset-1] == '\t') {
		start.Offset--
	}
	for end.Offset < len(f.Src) {
		end.Offset++
		if f.Src[end.Offset-1] == '\n' {
			break
		}
	}
	return lint.Delete(start, end)
}
