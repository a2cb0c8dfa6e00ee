package definition

import (
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// File is a parsed Dockerfile. BuildKit's parser decides what the file means; the places come from the raw bytes.
// Printing Src over the ranges of Instructions, Comments and what lies between them gives Src back.
type File struct {
	// Name is the path in the repository, as findings print it.
	Name string
	// Src is the file as it was read, with BOM, CRLF and all.
	Src []byte
	// Escape is the escape character, '\\' or '`'.
	Escape byte
	// Directives are the parser directives at the top (syntax, escape, check), in order.
	Directives []Directive
	// Comments are the full-line comments that are not directives, in order.
	Comments []Comment
	// Instructions are all instructions in order; those before the first FROM have a nil Stage.
	Instructions []*Instruction
	// Stages are the build stages in order.
	Stages []*Stage
}

// Directive is a parser directive: `# syntax=docker/dockerfile:1`. Name is in lower case.
type Directive struct {
	Name  string
	Value Word
}

// Comment is a full-line comment; Text has neither the "#" nor the space around it.
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
	// Args are the words after the flags. Shell-form RUN, CMD, ENTRYPOINT and HEALTHCHECK CMD have one word: the script, with
	// continuations and the comments between them taken out as BuildKit does. JSON (exec) form has one word for each string,
	// unquoted. ENV, LABEL and ARG have one word for each name=value, quotes as written.
	Args []Word
	// JSON says that the exec form was used.
	JSON bool
	// Heredocs are the instruction's here-documents, in order.
	Heredocs []Heredoc
	// Stage is the stage it belongs to; nil for an ARG before the first FROM.
	Stage *Stage
	// Trigger is the instruction inside an ONBUILD; its words have the real places.
	Trigger *Instruction
	// Start and End enclose everything from the keyword to the last byte of the last line (heredoc terminators included),
	// without the final line break.
	Start, End finding.Position
	// Node is BuildKit's node for it.
	Node *parser.Node
}

// Flag is one --name=value of an instruction. A flag without value ("--link") has a zero Value.
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

// Word is a piece of the source that means one thing, such as an image reference or a stage name.
type Word struct {
	// Text is what it says, continuation characters and the line breaks after them taken out.
	Text string
	// Start is its first byte in the file and End the one after its last.
	Start, End finding.Position
	// offsets[i] is the file offset of Text[i] when Text is not one contiguous run of the file; nil otherwise.
	offsets []int
}

// IsZero says whether the word is absent.
func (w Word) IsZero() bool { return w.End.Offset == w.Start.Offset && w.Text == "" }
