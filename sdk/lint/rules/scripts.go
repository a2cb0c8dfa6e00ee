package rules

import (
	"slices"

	"mvdan.cc/sh/v3/syntax"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// runs says whether a script, or one nested in the same instruction, has a command that match accepts.
func runs(pass *lint.Pass, in *definition.Instruction, match func(*lint.Command) bool) bool {
	return slices.ContainsFunc(pass.ScriptsOf(in), func(s *lint.Script) bool { return slices.ContainsFunc(s.Commands, match) })
}

// appendCommand is the edit that has a script end with one more command, " && command". It returns false where that is
// not safe: the last statement runs in the background, or a heredoc follows it.
func appendCommand(s *lint.Script, command string) (finding.Edit, bool) {
	if s.File == nil || s.Outer != nil || len(s.File.Stmts) == 0 {
		return finding.Edit{}, false
	}
	last := s.File.Stmts[len(s.File.Stmts)-1]
	if last.Semicolon.IsValid() || last.Background || hasHeredoc(s.File) {
		return finding.Edit{}, false
	}
	w := s.Word(last)
	if w.Text != s.Text()[last.Pos().Offset():last.End().Offset()] {
		return finding.Edit{}, false // it is the last line of a heredoc, which belongs to BuildKit
	}
	return lint.Insert(w.End, " && "+command), true
}

func hasHeredoc(n syntax.Node) bool {
	found := false
	syntax.Walk(n, func(n syntax.Node) bool {
		if r, ok := n.(*syntax.Redirect); ok && r.Hdoc != nil {
			found = true
		}
		return !found
	})
	return found
}
