package lint

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// arg makes an argument of a syntax word.
func (s *Script) arg(w *syntax.Word) Arg {
	a := Arg{script: s, start: int(w.Pos().Offset()), end: int(w.End().Offset()), syntax: w, Literal: true}
	if len(w.Parts) == 1 {
		if lit, ok := w.Parts[0].(*syntax.Lit); ok && strings.IndexByte(lit.Value, '\\') < 0 {
			a.Text = lit.Value
			a.Literal = !strings.ContainsAny(lit.Value, "*?[")
			return a
		}
	}
	var b strings.Builder
	a.Literal = s.appendParts(&b, w.Parts, false)
	a.Text = b.String()
	return a
}

// appendParts writes what parts say and returns whether that is known before the run.
func (s *Script) appendParts(b *strings.Builder, parts []syntax.WordPart, quoted bool) (literal bool) {
	literal = true
	for _, part := range parts {
		switch part := part.(type) {
		case *syntax.Lit:
			unescape(b, part.Value, quoted)
			literal = literal && (quoted || !strings.ContainsAny(part.Value, "*?["))
		case *syntax.SglQuoted:
			b.WriteString(part.Value)
		case *syntax.DblQuoted:
			literal = s.appendParts(b, part.Parts, true) && literal
		default:
			b.WriteString(s.text[min(int(part.Pos().Offset()), len(s.text)):min(int(part.End().Offset()), len(s.text))])
			literal = false
		}
	}
	return literal
}

// unescape writes a literal without the backslashes that the shell takes out.
func unescape(b *strings.Builder, text string, quoted bool) {
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) && (!quoted || strings.IndexByte("$`\"\\\n", text[i+1]) >= 0) {
			i++
			if text[i] == '\n' {
				continue
			}
		}
		b.WriteByte(text[i])
	}
}

// maxDepth is how many scripts within scripts are read. Nobody nests them deeper, but a hostile file could.
const maxDepth = 5

// script returns the script that the command hands to a shell, with -c or as a heredoc; nil when there is none that can
// be known.
func (c *Command) script() *Script {
	if c.Script.depth == maxDepth {
		return nil
	}
	inner := func(shell string) *Script {
		return &Script{Instruction: c.Script.Instruction, Shell: []string{shell, "-c"}, Outer: c, depth: c.Script.depth + 1}
	}
	if c.Name == "su" || c.Name == "runuser" {
		if a, ok := c.Value("-c", "--command"); ok {
			return inner(linuxShell[0]).fromArg(a)
		}
		return nil
	}
	if !isShell(c.Name) {
		return nil
	}
	for i := 0; i < len(c.Args); i++ {
		switch a := c.Args[i]; {
		case a.Is("-c") && i+1 < len(c.Args):
			return inner(c.name.Text).fromArg(c.Args[i+1])
		case takesOption(a.Text):
			i++
		case !a.IsFlag() && !strings.HasPrefix(a.Text, "+"):
			return nil // a script file
		}
	}
	if c.Stmt == nil {
		return nil
	}
	for _, r := range c.Stmt.Redirs {
		if r.Hdoc != nil && (r.N == nil || r.N.Value == "0") {
			s := inner(c.name.Text)
			s.take(c.Script, [2]int{int(r.Hdoc.Pos().Offset()), int(r.Hdoc.End().Offset())})
			return s.orNil()
		}
	}
	return nil
}

// takesOption says whether a flag of a shell takes the next word: -o pipefail, -euo pipefail, +O extglob.
func takesOption(flag string) bool {
	if len(flag) < 2 || flag[0] != '-' && flag[0] != '+' {
		return false
	}
	last := flag[len(flag)-1]
	return isLetters(flag[1:]) && (last == 'o' || last == 'O') || flag == "--rcfile" || flag == "--init-file"
}

// fromArg takes the text of an argument as the script. Variables that the outer shell expands stay as written: they may
// become anything, and the commands around them stay what they are.
func (s *Script) fromArg(a Arg) *Script {
	if a.script == nil {
		s.text, s.pieces = a.word.Text, []piece{{0, *a.word}}
		return s.orNil()
	}
	if len(a.syntax.Parts) != 1 {
		return nil
	}
	switch part := a.syntax.Parts[0].(type) {
	case *syntax.SglQuoted:
		if !part.Dollar {
			s.take(a.script, [2]int{a.start + 1, a.end - 1})
		}
	case *syntax.DblQuoted:
		if !part.Dollar {
			s.take(a.script, unquoted(a.script.text, a.start+1, a.end-1)...)
		}
	}
	return s.orNil()
}

// orNil is the script, or nil when nothing was taken.
func (s *Script) orNil() *Script {
	if len(s.pieces) == 0 {
		return nil
	}
	return s
}

// unquoted returns the runs of text[i:j], which stands between double quotes, without the backslashes that the shell
// takes out.
func unquoted(text string, i, j int) [][2]int {
	var runs [][2]int
	for k := i; k+1 < min(j, len(text)); k++ {
		if text[k] == '\\' && strings.IndexByte("$`\"\\", text[k+1]) >= 0 {
			runs = append(runs, [2]int{i, k})
			i = k + 1
			k++
		}
	}
	return append(runs, [2]int{i, j})
}

// take makes the script of runs of another one's text, each [start, end).
func (s *Script) take(outer *Script, runs ...[2]int) {
	var text strings.Builder
	for _, run := range runs {
		for i, j := run[0], min(run[1], len(outer.text)); i < j; {
			p := outer.piece(i)
			from, to := clip(p.word, i-p.at), clip(p.word, j-p.at)
			if from >= to {
				break
			}
			s.pieces = append(s.pieces, piece{text.Len(), p.word.Slice(from, to)})
			text.WriteString(p.word.Text[from:to])
			i += to - from
		}
	}
	s.text = text.String()
}
