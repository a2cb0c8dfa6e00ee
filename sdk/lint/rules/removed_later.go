package rules

import (
	"path"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var removedLater = lint.Rule{
	ID: "DF6033", Name: "removed-later", Title: "copied file removed in a later layer",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true,
	Run: func(pass *lint.Pass) {
		ships := shipped.Of(pass)
		for c := range pass.Commands("rm") {
			if !ships[c.Script.Instruction.Stage] {
				continue
			}
			for _, a := range c.Operands() {
				if in := copiedAs(c.Script.Instruction, a.Text); in != nil {
					pass.Report(a.Word(), "%s stays in the layer that copied it and makes the image no smaller; use RUN --mount=type=bind, or unpack it in a stage of its own", a.Text).
						Related(in.Keyword, "copied here")
				}
			}
		}
	},
}

// copiedAs returns the instruction before another one, in its stage, that copies a file to the path.
func copiedAs(before *definition.Instruction, file string) *definition.Instruction {
	if !strings.HasPrefix(file, "/") {
		return nil
	}
	for _, in := range before.Stage.Instructions {
		if in == before {
			break
		}
		if in.Name != "copy" && in.Name != "add" || len(in.Args) < 2 {
			continue
		}
		dst := in.Args[len(in.Args)-1].Text
		for _, src := range in.Args[:len(in.Args)-1] {
			to := dst
			if strings.HasSuffix(dst, "/") {
				to = path.Join(dst, path.Base(src.Text))
			}
			if to == file {
				return in
			}
		}
	}
	return nil
}
