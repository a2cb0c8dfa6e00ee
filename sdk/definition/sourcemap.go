package definition

import (
	"bytes"
	"sort"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Map leads from the text of a compiled Dockerfile to the files that people wrote. Its segments are in order and do not
// overlap. A nil Map means that the text is what was written.
type Map []Segment

// Segment says where a range of bytes of the text was written.
type Segment struct {
	// Start and End are offsets in the text.
	Start, End int
	// Place is where it was written.
	Place finding.Place
	// Exact says that the text stands at Place byte for byte. Otherwise all of it stands for all of Place.
	Exact bool
	// Editable says that a change of the text may be made at Place, as long as it brings no line break and no "$" or "%".
	Editable bool
	// Value says that the text was put into another one: a range that holds it is about it.
	Value bool
	// Related are other places that have a part in it, such as the template that a parameter was put into.
	Related []finding.Related
}

// LineMap maps a text that a file holds in a block of its own, such as a heredoc or a block scalar: line for line, at any
// indentation. The block is the range of bytes from start to end in src. Lines that are not in the block as they are in
// the text, since something was put in, are mapped to the whole line. A text that does not have the block's lines is
// mapped to the whole block.
func LineMap(file string, src []byte, start, end int, text []byte) Map {
	index := newLines(src)
	place := func(from, to int) finding.Place {
		return finding.Place{File: file, Start: index.position(from), End: index.position(to)}
	}
	written := bytes.SplitAfter(src[start:end], []byte("\n"))
	lines := bytes.SplitAfter(text, []byte("\n"))
	for len(lines) > 0 && len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	if len(written) < len(lines) || len(lines) == 0 {
		return Map{{End: len(text), Place: place(start, end)}}
	}
	var m Map
	from, to := start, 0
	for i, line := range lines {
		source := bytes.TrimRight(written[i], "\r\n")
		bare := bytes.TrimRight(line, "\r\n")
		s := Segment{Start: to, End: to + len(line), Exact: bytes.HasSuffix(source, bare)}
		first := from + len(source) - len(bytes.TrimLeft(source, " \t"))
		if s.Exact {
			s.Editable = true
			first = from + len(source) - len(bare)
		}
		s.Place = place(min(first, from+len(source)), from+len(source))
		m = append(m, s)
		from, to = from+len(written[i]), to+len(line)
	}
	return m
}

// at returns the segment that an offset lies in, or the one before it.
func (m Map) at(offset int) *Segment {
	i := sort.Search(len(m), func(i int) bool { return m[i].Start > offset })
	return &m[max(i-1, 0)]
}

// Place returns where a range of the text was written, from the start of its first segment to the end of its last when
// it has several. Places in files other than the definition's own are returned as they are.
func (d *Definition) Place(p finding.Place) finding.Place {
	place, _ := d.place(p)
	return place
}

func (d *Definition) place(p finding.Place) (finding.Place, []finding.Related) {
	if len(d.Map) == 0 || p.File != d.File.Name {
		return p, nil
	}
	if p.Start.Line == 0 { // the file as a whole
		return d.Build.Place, nil
	}
	first := d.Map.at(p.Start.Offset)
	last := d.Map.at(max(p.End.Offset-1, p.Start.Offset))
	for s := first; s != last; s = d.Map.at(s.End) {
		if s.Value {
			first, last = s, s
			break
		}
	}
	if last.Value || first.Place.File != last.Place.File {
		first = last
	}
	place := finding.Place{File: first.Place.File, Start: first.position(p.Start.Offset, false), End: last.position(p.End.Offset, true)}
	return place, first.Related
}

// position is where an offset was written.
func (s *Segment) position(offset int, end bool) finding.Position {
	switch {
	case s.Exact:
		n := min(max(offset-s.Start, 0), s.Place.End.Offset-s.Place.Start.Offset)
		at := s.Place.Start
		at.Offset += n
		at.Column += n
		return at
	case end:
		return s.Place.End
	default:
		return s.Place.Start
	}
}

// Written returns findings about the compiled Dockerfile as findings about what was written. Fixes whose edits can't be
// made there are left out. Without a map the findings are returned as they are; the argument is not changed.
func (d *Definition) Written(findings []finding.Finding) []finding.Finding {
	if len(d.Map) == 0 && len(d.Build.Places) == 0 {
		return findings
	}
	out := make([]finding.Finding, 0, len(findings))
	for _, f := range findings {
		arguments := d.Arguments(f.Related)
		var related []finding.Related
		f.Place, related = d.place(f.Place)
		for _, r := range f.Related {
			r.Place = d.Place(r.Place)
			related = append(related, r)
		}
		f.Related = append(related, arguments...)
		f.Fixes = d.writtenFixes(f.Fixes)
		out = append(out, f)
	}
	return out
}

// Arguments returns where the arguments are given that stand at some places of the Dockerfile, by their declarations.
func (d *Definition) Arguments(declared []finding.Related) []finding.Related {
	var out []finding.Related
	for _, r := range declared {
		start, end := r.Place.Start.Offset, r.Place.End.Offset
		if r.Place.File != d.File.Name || start > end || end > len(d.File.Src) {
			continue
		}
		name, _, _ := strings.Cut(string(d.File.Src[start:end]), "=")
		if at, ok := d.Build.Places["arg:"+strings.TrimSpace(name)]; ok {
			out = append(out, finding.Related{Place: at, Message: "the value is given here"})
		}
	}
	return out
}

func (d *Definition) writtenFixes(fixes []finding.Fix) []finding.Fix {
	if len(d.Map) == 0 {
		return fixes
	}
	var out []finding.Fix
	for _, fix := range fixes {
		if edits, ok := d.WrittenEdits(fix.Edits); ok {
			out = append(out, finding.Fix{Message: fix.Message, Edits: edits})
		}
	}
	return out
}

// WrittenEdits returns edits of the compiled Dockerfile as edits of what was written; false when one of them can't be
// made there.
func (d *Definition) WrittenEdits(edits []finding.Edit) ([]finding.Edit, bool) {
	if len(d.Map) == 0 {
		return edits, true
	}
	var out []finding.Edit
	for _, e := range edits {
		s := d.Map.at(e.Start)
		length := s.Place.End.Offset - s.Place.Start.Offset
		if e.File != d.File.Name || !s.Editable || !s.Exact || e.End-s.Start > length || strings.ContainsAny(e.New, "\r\n$%") {
			return nil, false
		}
		shift := s.Place.Start.Offset - s.Start
		out = append(out, finding.Edit{File: s.Place.File, Start: e.Start + shift, End: e.End + shift, New: e.New})
	}
	return out, true
}
