package definition

import (
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// File is a parsed Dockerfile. BuildKit's parser decides what the file means; the places come from the raw bytes.
// It is immutable and safe for concurrent use.
type File struct {
	// Name is the path in the repository, as findings print it.
	Name string
	// Src is the file as it was read, with BOM, CRLF and all.
	Src []byte
	// Escape is the escape character, '\\' or '`'.
	Escape byte
	// Directives are the parser directives at the top (syntax, escape, check) that take effect, in order.
	Directives []Directive
	// Comments are the full-line comments that are not directives, in order. Those between continuation lines are among
	// them and lie inside the range of their instruction; a "#" inside a heredoc is no comment.
	Comments []Comment
	// Instructions are all instructions in order; those before the first FROM have a nil Stage.
	Instructions []*Instruction
	// Stages are the build stages in order, at least one.
	Stages []*Stage
}

// Place is where the word stands in the file.
func (f *File) Place(w Word) finding.Place {
	return finding.Place{File: f.Name, Start: w.Start, End: w.End}
}

// Directive returns the parser directive with that lower-case name, and whether there is one.
func (f *File) Directive(name string) (Directive, bool) {
	for _, d := range f.Directives {
		if d.Name == name {
			return d, true
		}
	}
	return Directive{}, false
}

// Directive is a parser directive: `# syntax=docker/dockerfile:1`. Name is in lower case. For syntax, the frontend's
// reference ends at the first space of Value.
type Directive struct {
	Name  string
	Value Word
}

// Comment is a full-line comment; Text has neither the "#" nor the space around it. Start is at the "#".
type Comment struct {
	Text       string
	Start, End finding.Position
}

// Stage is one FROM and what follows it.
type Stage struct {
	// Index counts from 0.
	Index int
	// Name is the AS name in lower case, "" when it has none.
	Name string
	// From is the stage's first instruction.
	From *Instruction
	// Base is the image, stage name or "scratch" after FROM, as written; Alias the name after AS (zero if none);
	// Platform the value of --platform (zero if none).
	Base, Alias, Platform Word
	// Instructions are the stage's instructions, From among them.
	Instructions []*Instruction
}

// Instruction is one instruction with all its continuation lines and heredocs.
type Instruction struct {
	// Name is the keyword in lower case: "from", "run". Keyword is the same as written.
	Name    string
	Keyword Word
	// Flags are --name=value words, in order, before Args.
	Flags []Flag
	// Args are the words after the flags.
	//
	// Shell-form RUN, CMD and ENTRYPOINT have one word: the script, with continuations and the comments between them
	// taken out as BuildKit does. HEALTHCHECK has CMD or NONE first and then the same. JSON (exec) form has one word for
	// each string, unquoted. ENV, LABEL and ARG have one word for each name=value, quotes as written; the old form
	// `ENV name value` has two, name and value (see [Instruction.Pairs]). STOPSIGNAL, USER, WORKDIR and MAINTAINER have
	// one word, the others one for each piece between spaces.
	Args []Word
	// JSON says that the exec form was used.
	JSON bool
	// Heredocs are the instruction's here-documents, in order. Those of an ONBUILD are its trigger's too.
	Heredocs []Heredoc
	// Stage is the stage it belongs to; nil for an ARG before the first FROM.
	Stage *Stage
	// Trigger is the instruction inside an ONBUILD; its words have the real places. BuildKit checks it only when a child
	// image is built, so it may be one that nobody knows.
	Trigger *Instruction
	// Start and End enclose everything from the keyword to the last byte of the last line (heredoc terminators included),
	// without the final line break.
	Start, End finding.Position
	// Node is BuildKit's node for it.
	Node *parser.Node

	pairs []Pair
}

// Flag returns the last flag with that name (without "--"), and whether there is one.
func (in *Instruction) Flag(name string) (Flag, bool) {
	for _, f := range slices.Backward(in.Flags) {
		if f.Name == name {
			return f, true
		}
	}
	return Flag{}, false
}

// Flag is one --name=value of an instruction, quotes and escapes taken out as BuildKit does. A flag without value
// ("--link") has a zero Value. Replacing Value's range never leaves half a quote behind.
type Flag struct {
	Name  string
	Word  Word
	Value Word
}

// Heredoc is one here-document of an instruction. Body is its content as written, tabs included.
type Heredoc struct {
	Name   string
	Expand bool
	Chomp  bool
	Body   Word
}
