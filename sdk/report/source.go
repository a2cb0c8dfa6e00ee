package report

import (
	"io"
	"io/fs"
	"sort"
	"strings"
	"unicode/utf16"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

const (
	maxSource = 16 << 20 // bytes of a file that is still read
	bom       = "\ufeff"
)

// source reads the files that findings point to, each once. What it can't read it does not know; that is no error,
// since a report without excerpts is still a report.
type source struct {
	fsys   fs.FS
	files  map[string]*file
	hidden map[lineKey]bool // lines that have a secret
}

type lineKey struct {
	file string
	line int
}

// hiding has excerpts mask the lines of findings about secrets, whatever finding quotes them.
func (s *source) hiding(findings []finding.Finding) *source {
	s.hidden = map[lineKey]bool{}
	for _, f := range findings {
		if !f.Secret {
			continue
		}
		for n := f.Place.Start.Line; n <= max(f.Place.Start.Line, f.Place.End.Line); n++ {
			s.hidden[lineKey{f.Place.File, n}] = true
		}
	}
	return s
}

// masked is a line of which only the first word is left, the instruction's keyword.
func masked(line string) string {
	rest := strings.TrimLeft(line, " \t")
	word := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))]
	if !strings.HasPrefix(rest[len(word):], " ") {
		word = ""
	}
	return line[:len(line)-len(rest)] + strings.TrimLeft(word+" ", " ") + "***"
}

// file is the text of a file and where its lines begin, as offsets.
type file struct {
	text   string
	starts []int
}

func newSource(fsys fs.FS) *source { return &source{fsys: fsys, files: map[string]*file{}} }

// open returns a file, or nil.
func (s *source) open(name string) *file {
	if s.fsys == nil || name == "" {
		return nil
	}
	f, seen := s.files[name]
	if !seen {
		f = readFile(s.fsys, name)
		s.files[name] = f
	}
	return f
}

func readFile(fsys fs.FS, name string) *file {
	r, err := fsys.Open(name)
	if err != nil {
		return nil
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxSource+1))
	if err != nil || len(data) > maxSource {
		return nil
	}
	f := &file{text: string(data), starts: []int{0}}
	for i, b := range data {
		if b == '\n' {
			f.starts = append(f.starts, i+1)
		}
	}
	return f
}

// line returns line n (from 1) without its end, and the first one without a byte order mark.
func (s *source) line(name string, n int) (string, bool) {
	f := s.open(name)
	if f == nil || n < 1 || n > len(f.starts) {
		return "", false
	}
	line, _, _ := strings.Cut(f.text[f.starts[n-1]:], "\n")
	if n == 1 {
		line = strings.TrimPrefix(line, bom)
	}
	return strings.TrimSuffix(line, "\r"), true
}

// column converts a position's column from bytes to UTF-16 code units, counted from 1. It is unknown (0) without the
// source and for a position that is not in it.
func (s *source) column(name string, p finding.Position) int {
	line, ok := s.line(name, p.Line)
	if !ok || p.Column < 1 || p.Column > len(line)+1 {
		return 0
	}
	n := 1
	for _, r := range line[:p.Column-1] {
		n += utf16.RuneLen(r)
	}
	return n
}

// position converts an offset in bytes to a position.
func (s *source) position(name string, offset int) (finding.Position, bool) {
	f := s.open(name)
	if f == nil || offset < 0 || offset > len(f.text) {
		return finding.Position{}, false
	}
	line := sort.SearchInts(f.starts, offset+1)
	column := offset - f.starts[line-1] + 1
	if line == 1 && strings.HasPrefix(f.text, bom) {
		column = max(1, column-len(bom))
	}
	return finding.Position{Line: line, Column: column, Offset: offset}, true
}
