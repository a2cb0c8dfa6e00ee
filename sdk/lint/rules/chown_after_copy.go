package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var chownAfterCopy = lint.Rule{
	ID: "DF6027", Name: "chown-after-copy", Title: "copied files changed by a later chown or chmod",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true,
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands("chown", "chmod", "chgrp") {
			if !c.Has("-R", "--recursive") {
				continue
			}
			operands := c.Operands()
			for _, a := range operands[min(1, len(operands)):] {
				if in := copiedTo(c.Script.Instruction, a.Text); in != nil {
					flag := "--chown"
					if c.Name == "chmod" {
						flag = "--chmod"
					}
					pass.Report(a.Word(), "%s writes every file of %s into a second layer; use %s %s", c.Name, a.Text, in.Keyword.Text, flag).
						Related(in.Keyword, "copied here")
					break
				}
			}
		}
	},
}

// copiedTo returns the instruction before another one, in its stage, that copies to a path or below it.
func copiedTo(before *definition.Instruction, path string) *definition.Instruction {
	for _, in := range before.Stage.Instructions {
		if in == before {
			break
		}
		if (in.Name == "copy" || in.Name == "add") && len(in.Args) > 1 {
			if dst := in.Args[len(in.Args)-1].Text; strings.HasPrefix(path, "/") && len(path) > 1 && isUnder(strings.TrimRight(dst, "/"), path) {
				return in
			}
		}
	}
	return nil
}
