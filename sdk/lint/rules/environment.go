package rules

import (
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// setsVariable says whether one of the variables is set for a script: by ENV or ARG in its stage or those under it, or
// in the script.
func setsVariable(pass *lint.Pass, s *lint.Script, names ...string) bool {
	if slices.ContainsFunc(s.Assigns, func(a lint.Assign) bool { return slices.Contains(names, a.Name) }) {
		return true
	}
	for stage := s.Instruction.Stage; stage != nil; stage = pass.Parent(stage) {
		for _, in := range stage.Instructions {
			for _, p := range in.Pairs() {
				if in.Name != "label" && slices.Contains(names, p.Name.Text) {
					return true
				}
			}
		}
	}
	return false
}

// mountsCache says whether a RUN has a cache mount in a folder of that name, such as /home/app/.cache.
func mountsCache(in *definition.Instruction) bool {
	for _, f := range in.Flags {
		if f.Name == "mount" && strings.Contains(f.Value.Text, "type=cache") && strings.Contains(f.Value.Text, ".cache") {
			return true
		}
	}
	return false
}
