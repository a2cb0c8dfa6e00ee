package definition

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// MaxDockerfile is the size in bytes above which [Parse] refuses a file: 1 MiB.
const MaxDockerfile = 1 << 20

// What can be wrong with a file before its grammar; all come inside a [*SyntaxError].
var (
	// ErrTooLarge: the file is larger than the limit.
	ErrTooLarge = errors.New("file is too large")
	// ErrNotText: a NUL byte or UTF-16; Dockerfiles are UTF-8.
	ErrNotText = errors.New("file is not UTF-8 text")
	// ErrNoStage: empty, only comments, or no FROM.
	ErrNoStage = errors.New("a Dockerfile needs at least one FROM")
	// ErrForeignSyntax: a `// syntax=` line or a JSON "syntax" hands the file to a frontend that reads something else.
	ErrForeignSyntax = errors.New("file is not a Dockerfile")
)

// SyntaxError says where a file can't be understood, and why. It prints as "Dockerfile:3:9: unknown instruction: FRMO".
type SyntaxError struct {
	Place finding.Place
	Err   error
}

func (e *SyntaxError) Error() string { return e.Place.String() + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Parse reads a Dockerfile. It accepts what BuildKit's Dockerfile frontend accepts, without looking at variables, and
// refuses the rest and a few things that BuildKit lets pass: more than [MaxDockerfile] bytes and NUL bytes. Every
// error is a [*SyntaxError]. The name goes into places; src is copied.
func Parse(name string, src []byte) (*File, error) { return ParseLimited(name, src, MaxDockerfile) }

// ParseLimited is [Parse] with another limit, in bytes.
func ParseLimited(name string, src []byte, limit int64) (*File, error) {
	p := &fileParser{lines: &lines{starts: []int{0}}}
	p.file = &File{Name: name, Escape: '\\'}
	if int64(len(src)) > limit {
		return nil, SizeError(name, int64(len(src)), limit)
	}
	src = bytes.Clone(src)
	p.file.Src, p.src, p.lines = src, string(src), newLines(src)
	if err := p.checkText(); err != nil {
		return nil, err
	}
	ast, err := p.grammar()
	if err != nil {
		return nil, err
	}
	if err := p.locate(ast); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return p.file, nil
}

// SizeError is the error about a file of that many bytes that is over the limit.
func SizeError(name string, size, limit int64) error {
	return &SyntaxError{finding.Place{File: name}, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, size, limit)}
}

// fileParser holds one file while it is parsed.
type fileParser struct {
	file  *File
	src   string
	lines *lines
}

const bom = "\xef\xbb\xbf"

func hasBOM(src []byte) bool { return bytes.HasPrefix(src, []byte(bom)) }

// errorAt makes an error with the place of an offset, or of the file as a whole when offset is negative.
func (p *fileParser) errorAt(offset int, err error) error {
	place := finding.Place{File: p.file.Name}
	if offset >= 0 {
		place.Start = p.lines.position(offset)
		place.End = place.Start
	}
	return &SyntaxError{Place: place, Err: err}
}

func (p *fileParser) checkText() error {
	if strings.HasPrefix(p.src, "\xff\xfe") || strings.HasPrefix(p.src, "\xfe\xff") {
		return p.errorAt(-1, fmt.Errorf("%w: it is UTF-16; save it as UTF-8", ErrNotText))
	}
	if i := strings.IndexByte(p.src, 0); i >= 0 {
		return p.errorAt(i, fmt.Errorf("%w: NUL byte", ErrNotText))
	}
	if strings.TrimSpace(strings.TrimPrefix(p.src, bom)) == "" {
		return p.errorAt(-1, fmt.Errorf("%w: the file is empty", ErrNoStage))
	}
	return nil
}

// grammar has BuildKit parse the file.
func (p *fileParser) grammar() (*parser.Node, error) {
	p.file.Directives = directives(p.src, p.lines)
	if _, ours := p.file.Directive("syntax"); !ours && p.mayBeForeign() {
		if name, _, _, ok := parser.DetectSyntax(p.file.Src); ok {
			return nil, p.errorAt(p.lines.bom, fmt.Errorf("%w: its syntax line hands it to the frontend %q", ErrForeignSyntax, name))
		}
	}
	result, err := parser.Parse(strings.NewReader(p.src))
	if err != nil {
		if strings.Contains(err.Error(), "file with no instructions") {
			return nil, p.errorAt(-1, fmt.Errorf("%w: the file has only comments", ErrNoStage))
		}
		if i := p.lines.longerThan(bufio.MaxScanTokenSize - 1); i >= 0 && strings.Contains(err.Error(), "greater than max") {
			return nil, p.errorAt(i, errors.Unwrap(err)) // BuildKit names the first line
		}
		return nil, p.syntaxError(err)
	}
	if result.EscapeToken == '`' {
		p.file.Escape = '`'
	}
	return result.AST, nil
}

// mayBeForeign says whether it is worth asking BuildKit for a syntax line: not for a file that begins with a letter, or
// with a comment that is no directive, as nearly all do.
func (p *fileParser) mayBeForeign() bool {
	line, _, _ := strings.Cut(p.src[p.lines.bom:], "\n")
	switch {
	case line == "":
		return true
	case line[0] == '#':
		return strings.HasPrefix(line, "#!") || strings.Contains(line, "=")
	}
	c := line[0] | 0x20
	return c < 'a' || c > 'z'
}

// syntaxError gives a BuildKit error the place of the first line it names.
func (p *fileParser) syntaxError(err error) error {
	offset := -1
	if located, ok := errors.AsType[*parser.LocationError](err); ok {
		err = located.Unwrap()
		if n := located.Locations; len(n) > 0 && len(n[0]) > 0 {
			line := min(max(n[0][0].Start.Line, 1), len(p.lines.starts))
			offset = p.lines.starts[line-1]
			if line == 1 {
				offset += p.lines.bom
			}
			rest := p.src[offset:]
			offset += len(rest) - len(strings.TrimLeft(rest, " \t"))
		}
	}
	return p.errorAt(offset, err)
}

// check has BuildKit judge each instruction, as its frontend does before it builds.
func (p *fileParser) check() error {
	lint := linter.New(&linter.Config{}) // not nil: BuildKit dereferences it when a comment says check=
	for _, in := range p.file.Instructions {
		if _, err := instructions.ParseInstructionWithLinter(in.Node, lint); err != nil {
			return p.instructionError(in, err)
		}
		if in.Stage == nil && in.Name != "arg" {
			return p.errorAt(in.Start.Offset, fmt.Errorf("no build stage yet: %s before the first FROM; only ARG may stand there", in.Keyword.Text))
		}
	}
	if len(p.file.Stages) == 0 {
		return p.errorAt(-1, fmt.Errorf("%w: the file has only ARG", ErrNoStage))
	}
	return nil
}

// instructionError places an error at the flag that it names, else at the keyword.
func (p *fileParser) instructionError(in *Instruction, err error) error {
	if located, ok := errors.AsType[*parser.LocationError](err); ok {
		err = located.Unwrap()
	}
	for _, f := range in.Flags {
		if strings.Contains(err.Error(), "--"+f.Name) {
			return p.errorAt(f.Word.Start.Offset, err)
		}
	}
	return p.errorAt(in.Start.Offset, err)
}
