package lint

import (
	"path"
	"sort"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

// Script is one shell script of a definition: the shell form of an instruction, its heredoc, an exec form (one command,
// no shell), or a string that another script hands to a shell.
type Script struct {
	// Instruction is the RUN, CMD, ENTRYPOINT or HEALTHCHECK it is in.
	Instruction *definition.Instruction
	// Shell is the argument vector that runs it, as SHELL names it: "/bin/sh", "-c". It is nil in exec form.
	Shell []string
	// File is the syntax tree; nil in exec form and when Err is set. Offsets in it count in the script, not in the file;
	// [Script.Word] translates.
	File *syntax.File
	// Err says why the script was not read: it has an error, is too long, or is not for such a shell ([ErrForeign]).
	Err error
	// Commands are its simple commands in order, those in substitutions and functions among them.
	Commands []*Command
	// Assigns are the variables it sets, in front of commands or on their own, export among them.
	Assigns []Assign
	// Pipelines are those with at least two stages, in order.
	Pipelines []*Pipeline
	// Outer is the command that hands this script to a shell: sh -c '...'. Nil for the script of an instruction.
	Outer *Command

	text   string
	pieces []piece
	depth  int // how many scripts it is in
}

// Assign is NAME=value in a script.
type Assign struct {
	Name  string
	Value Arg
}

// Pipeline is a | b | c.
type Pipeline struct {
	Script *Script
	// Stages has, for each stage, all commands that run in it.
	Stages [][]*Command
	// Stmt is the whole pipeline.
	Stmt *syntax.Stmt
}

// piece says which word of the file the text of a script comes from, starting at byte at.
type piece struct {
	at   int
	word definition.Word
}

// Build says whether the script runs while the image is built.
func (s *Script) Build() bool { return s.Instruction.Name == "run" }

// ShellName is the base name of the shell: "sh", "bash"; "" in exec form.
func (s *Script) ShellName() string {
	if len(s.Shell) == 0 {
		return ""
	}
	return path.Base(s.Shell[0])
}

// Text is the script as its shell reads it.
func (s *Script) Text() string { return s.text }

// Word is the place of a node of File in the definition. Its text is empty where the node is the last line of a heredoc
// that the shell, but not BuildKit, takes for a command.
func (s *Script) Word(n syntax.Node) definition.Word {
	return s.word(int(n.Pos().Offset()), int(n.End().Offset()))
}

// word is the place of text[i:j].
func (s *Script) word(i, j int) definition.Word {
	i = min(i, len(s.text))
	j = max(i, min(j, len(s.text)))
	first, last := s.piece(i), s.piece(max(i, j-1))
	a := clip(first.word, i-first.at)
	if last.at == first.at {
		return first.word.Slice(a, clip(first.word, j-first.at))
	}
	start, end := first.word.Slice(a, len(first.word.Text)), last.word.Slice(0, clip(last.word, j-last.at))
	return definition.Word{Text: s.text[i:j], Start: start.Start, End: end.End}
}

// piece is the one that byte i of the text is in.
func (s *Script) piece(i int) piece {
	k := sort.Search(len(s.pieces), func(k int) bool { return s.pieces[k].at > i })
	return s.pieces[max(0, k-1)]
}

// clip keeps an index inside a word; the text between two pieces (a heredoc's last line) belongs to no word.
func clip(w definition.Word, i int) int { return max(0, min(i, len(w.Text))) }

// Contiguous says whether the place of a word is one run of bytes that reads as its text, so that a fix may replace it.
func (p *Pass) Contiguous(w definition.Word) bool {
	return string(p.File.Src[w.Start.Offset:w.End.Offset]) == w.Text
}

// shellScript is the script of an instruction in shell form.
func shellScript(in *definition.Instruction, shell []string, word definition.Word) *Script {
	s := &Script{Instruction: in, Shell: shell, text: word.Text, pieces: []piece{{0, word}}}
	if len(in.Heredocs) == 0 || in.Name != "run" {
		return s
	}
	if isHeredocAlone(word.Text) {
		// BuildKit runs the body itself, in the interpreter of its first line if it has one.
		body := in.Heredocs[0].Body
		s.text, s.pieces = body.Text, []piece{{0, body}}
		if line, ok := strings.CutPrefix(strings.TrimLeft(body.Text, "\t"), "#!"); ok {
			line, _, _ = strings.Cut(line, "\n")
			s.Shell = strings.Fields(line)
			if len(s.Shell) > 1 && path.Base(s.Shell[0]) == "env" {
				s.Shell = s.Shell[1:]
				if len(s.Shell) > 1 && s.Shell[0] == "-S" {
					s.Shell = s.Shell[1:]
				}
			}
		}
		return s
	}
	var b strings.Builder
	b.WriteString(word.Text)
	for _, h := range in.Heredocs {
		b.WriteByte('\n')
		s.pieces = append(s.pieces, piece{b.Len(), h.Body})
		b.WriteString(h.Body.Text)
		b.WriteString(h.Name)
	}
	b.WriteByte('\n')
	s.text = b.String()
	return s
}

// isHeredocAlone says whether a RUN has nothing but the opening of one heredoc.
func isHeredocAlone(text string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "<<")
	rest = strings.TrimPrefix(rest, "-")
	return ok && !strings.ContainsAny(strings.TrimSpace(rest), " \t|&;<>()")
}
