package rules

import (
	"bytes"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var emptyContinuation = lint.Rule{
	ID: "DF6019", Name: "empty-continuation", Title: "empty line inside a continued instruction",
	Group: lint.Instructions, Severity: finding.Warning, Suppressible: true, Fixes: true, SameBuild: true,
	Aliases: []string{"buildkit:NoEmptyContinuation"},
	Run: func(pass *lint.Pass) {
		for _, in := range pass.File.Instructions {
			if edits, first := emptyLines(pass.File, in); len(edits) > 0 {
				pass.Report(first, "an empty line continues the instruction, where a reader thinks that it ends; a future release refuses it").
					Fix("delete the empty lines", edits...)
			}
		}
	},
}

// emptyLines returns edits that delete the empty lines between continuation lines, and the first of these lines.
func emptyLines(f *definition.File, in *definition.Instruction) (edits []finding.Edit, first definition.Word) {
	end := in.End.Offset
	if len(in.Heredocs) > 0 {
		end = in.Heredocs[0].Body.Start.Offset // what follows is content
	}
	line := in.Start.Line
	for at := in.Start.Offset; at < end; line++ {
		n := bytes.IndexByte(f.Src[at:end], '\n')
		if n < 0 {
			break
		}
		if text := f.Src[at : at+n]; line > in.Start.Line && len(bytes.TrimSpace(text)) == 0 {
			edits = append(edits, finding.Edit{Start: at, End: at + n + 1})
			if len(edits) == 1 {
				start := finding.Position{Line: line, Column: 1, Offset: at}
				first = definition.Word{Start: start, End: start}
			}
		}
		at += n + 1
	}
	return edits, first
}
