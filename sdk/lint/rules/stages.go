package rules

import (
	"strconv"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// shipped are the stages whose layers are in the image that is built by default: the last one and those it starts
// from.
var shipped = lint.Share(func(pass *lint.Pass) map[*definition.Stage]bool {
	stages := map[*definition.Stage]bool{}
	for s := pass.Final(); s != nil; s = pass.Parent(s) {
		stages[s] = true
	}
	return stages
})

// needed returns the stages that the last one is built from.
func needed(pass *lint.Pass) map[*definition.Stage]bool {
	stages := map[*definition.Stage]bool{}
	todo := []*definition.Stage{pass.Final()}
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if s == nil || stages[s] {
			continue
		}
		stages[s] = true
		for _, in := range s.Instructions {
			for ; in != nil; in = in.Trigger {
				for _, w := range sources(in) {
					todo = append(todo, stageOf(pass, in, w))
				}
			}
		}
	}
	return stages
}

// stageOf returns the stage that a word of an instruction names, by name or, for COPY, by number; nil when it is an image.
func stageOf(pass *lint.Pass, in *definition.Instruction, w definition.Word) *definition.Stage {
	if n, err := strconv.Atoi(w.Text); err == nil && in.Name == "copy" && n >= 0 && n < in.Stage.Index {
		return pass.File.Stages[n]
	}
	return pass.StageNamed(w.Text, in.Stage)
}
