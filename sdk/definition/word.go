package definition

import (
	"bytes"
	"slices"
	"sort"
	"strings"
	"unicode"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Word is a piece of the source that means one thing, such as an image reference or a stage name.
// Lines and columns are those that editors show: a byte order mark has no column. Offsets are exact.
type Word struct {
	// Text is what it says, continuation characters and the line breaks after them taken out.
	Text string
	// Start is its first byte in the file and End the one after its last.
	Start, End finding.Position

	src *source
	at  int
}

// IsZero says whether the word is absent.
func (w Word) IsZero() bool { return w.End.Offset == w.Start.Offset && w.Text == "" }

// Slice returns Text[i:j] as a word with its own place, such as the value of from= in a --mount. It panics when i and j
// are out of range, as slicing a string does.
func (w Word) Slice(i, j int) Word {
	text := w.Text[i:j]
	if i == 0 && j == len(w.Text) {
		return w
	}
	if w.src == nil {
		return Word{Text: text}
	}
	return w.src.word(text, w.at+i)
}

// trim is strings.TrimSpace.
func (w Word) trim() Word {
	left := strings.TrimLeftFunc(w.Text, unicode.IsSpace)
	i := len(w.Text) - len(left)
	return w.Slice(i, i+len(strings.TrimRightFunc(left, unicode.IsSpace)))
}

// cut splits at byte i and drops n bytes there.
func (w Word) cut(i, n int) (before, after Word) {
	return w.Slice(0, i), w.Slice(i+n, len(w.Text))
}

// source says where each byte of a text stands in the file.
type source struct {
	lines *lines
	runs  []run
}

// run says that size bytes of text from at come from width bytes of the file from offset. Where the two differ,
// the text was unescaped and the run is one piece.
type run struct{ at, size, offset, width int }

func (r run) plain() bool { return r.size == r.width }

// word makes a word of text, which begins at byte at of the source.
func (s *source) word(text string, at int) Word {
	w := Word{Text: text, src: s, at: at}
	end := at + len(text)
	if len(text) == 0 {
		w.Start = s.lines.position(s.start(at))
		w.End = w.Start
		return w
	}
	w.Start = s.lines.position(s.start(at))
	w.End = s.lines.position(s.end(end))
	return w
}

// start is the file offset of the byte at i, or where the source ends.
func (s *source) start(i int) int {
	k := sort.Search(len(s.runs), func(k int) bool { return s.runs[k].at+s.runs[k].size > i })
	if k == len(s.runs) {
		return s.end(i)
	}
	r := s.runs[k]
	if !r.plain() {
		return r.offset
	}
	return r.offset + i - r.at
}

// end is the file offset after the byte before i.
func (s *source) end(i int) int {
	if len(s.runs) == 0 {
		return 0
	}
	k := max(0, sort.Search(len(s.runs), func(k int) bool { return s.runs[k].at >= i })-1)
	r := s.runs[k]
	if !r.plain() {
		return r.offset + r.width
	}
	return r.offset + min(i-r.at, r.size)
}

// builder makes a word whose text differs from the source's: quotes taken out, escapes resolved.
type builder struct {
	text strings.Builder
	runs []run
}

// add appends text, which is what the word w says.
func (b *builder) add(text string, w Word) {
	r := run{b.text.Len(), len(text), w.Start.Offset, w.End.Offset - w.Start.Offset}
	b.text.WriteString(text)
	if n := len(b.runs) - 1; n >= 0 && b.runs[n].plain() && r.plain() && b.runs[n].offset+b.runs[n].width == r.offset {
		b.runs[n].size += r.size
		b.runs[n].width += r.width
		return
	}
	b.runs = append(b.runs, r)
}

// word returns what was added, as a word that stands where raw does.
func (b *builder) word(raw Word) Word {
	w := Word{Text: b.text.String(), Start: raw.Start, End: raw.End}
	if raw.src != nil {
		w.src = &source{lines: raw.src.lines, runs: b.runs}
	}
	return w
}

// lines finds line and column of an offset.
type lines struct {
	starts []int // of each line
	bom    int   // length of the byte order mark
}

func newLines(src []byte) *lines {
	l := &lines{starts: make([]int, 1, 1+bytes.Count(src, []byte{'\n'}))}
	if hasBOM(src) {
		l.bom = len(bom)
	}
	for i := 0; ; i = l.starts[len(l.starts)-1] {
		n := bytes.IndexByte(src[i:], '\n')
		if n < 0 {
			return l
		}
		l.starts = append(l.starts, i+n+1)
	}
}

// longerThan is the offset of the first line that has more bytes, or -1. The last line does not count.
func (l *lines) longerThan(limit int) int {
	for i := 1; i < len(l.starts); i++ {
		if l.starts[i]-l.starts[i-1] > limit {
			return l.starts[i-1]
		}
	}
	return -1
}

func (l *lines) position(offset int) finding.Position {
	i, found := slices.BinarySearch(l.starts, offset)
	if !found {
		i--
	}
	column := offset - l.starts[i] + 1
	if i == 0 {
		column = max(1, column-l.bom)
	}
	return finding.Position{Line: i + 1, Column: column, Offset: offset}
}
