package definition

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// errLocate means that this package and BuildKit's parser disagree about the file, which is a bug here.
var errLocate = errors.New("internal error: places do not match what BuildKit parsed; please report this file")

// locate walks the raw text along BuildKit's nodes, joins lines as its parser does and keeps where each byte was.
func (p *fileParser) locate(root *parser.Node) error {
	w := &lineWalker{fileParser: p, pos: p.lines.bom}
	var stage *Stage
	for _, node := range root.Children {
		line, ok := w.instruction()
		if !ok || line.Text != node.Original || w.first != node.StartLine {
			return p.errorAt(w.begin, errLocate)
		}
		in := newInstruction(line, node, p.file.Escape)
		for _, h := range node.Heredocs {
			in.Heredocs = append(in.Heredocs, Heredoc{h.Name, h.Expand, h.Chomp, w.heredoc(h.Name, h.Chomp)})
		}
		if in.Trigger != nil {
			in.Trigger.Heredocs = in.Heredocs
		}
		in.Start, in.End = in.Keyword.Start, p.lines.position(w.end)
		if w.line != node.EndLine || !in.matches() {
			return p.errorAt(in.Start.Offset, errLocate)
		}
		if in.Name == "from" {
			stage = newStage(len(p.file.Stages), in)
			p.file.Stages = append(p.file.Stages, stage)
		}
		if in.Stage = stage; stage != nil {
			stage.Instructions = append(stage.Instructions, in)
		}
		if in.Trigger != nil {
			in.Trigger.Stage, in.Trigger.Start, in.Trigger.End = stage, in.Trigger.Keyword.Start, in.End
		}
		p.file.Instructions = append(p.file.Instructions, in)
	}
	if _, more := w.instruction(); more {
		return p.errorAt(w.begin, errLocate)
	}
	return nil
}

// lineWalker reads a file line by line as BuildKit's parser does.
type lineWalker struct {
	*fileParser
	pos   int // where the next line begins
	line  int // number of the line read last
	first int // number of the first line of the instruction read last
	begin int // offset of that line
	end   int // end of the line read last, without its line break

	text []byte // room for what join makes
	runs []run
}

// next returns the range of the next line without its line break.
func (w *lineWalker) next() (start, end int, ok bool) {
	if w.pos >= len(w.src) {
		return 0, 0, false
	}
	start = w.pos
	text, _, _ := strings.Cut(w.src[start:], "\n")
	w.pos = min(len(w.src), start+len(text)+1)
	w.line++
	w.end = start + len(strings.TrimRight(text, "\r"))
	return start, w.end, true
}

// instruction reads the next instruction's lines and joins them. Comments on the way are kept.
func (w *lineWalker) instruction() (Word, bool) {
	for {
		start, end, ok := w.next()
		if !ok {
			return Word{}, false
		}
		start = end - len(strings.TrimLeftFunc(w.src[start:end], unicode.IsSpace))
		if w.comment(start, end) {
			continue
		}
		w.first, w.begin = w.line, start
		cut, more := w.continued(start, end)
		if !more && start == end {
			continue
		}
		if !more {
			return w.lines.word(w.src, start, end), true
		}
		return w.join(start, cut), true
	}
}

// join goes on after a first line that has a continuation character at cut.
func (w *lineWalker) join(start, cut int) Word {
	w.text, w.runs = w.text[:0], w.runs[:0]
	add := func(start, end int) {
		w.runs = append(w.runs, run{len(w.text), end - start, start, end - start})
		w.text = append(w.text, w.src[start:end]...)
	}
	add(start, cut)
	for more := true; more; {
		start, end, ok := w.next()
		if !ok {
			break
		}
		space := len(w.src[start:end]) - len(strings.TrimLeftFunc(w.src[start:end], unicode.IsSpace))
		if w.comment(start+space, end) || start+space == end {
			continue
		}
		cut, more = w.continued(start, end)
		add(start, cut)
	}
	s := &source{lines: w.lines, runs: slices.Clone(w.runs)}
	return s.word(string(w.text), 0)
}

// continued says whether a line ends in a continuation character, and where.
func (w *lineWalker) continued(start, end int) (cut int, ok bool) {
	text := strings.TrimRight(w.src[start:end], " \t")
	n := len(text)
	if n == 0 || text[n-1] != w.file.Escape || n > 1 && text[n-2] == w.file.Escape {
		return end, false
	}
	return start + n - 1, true
}

// comment keeps the line if it is a comment, and says so.
func (w *lineWalker) comment(start, end int) bool {
	if start == end || w.src[start] != '#' {
		return false
	}
	for _, d := range w.file.Directives {
		if d.Value.Start.Line == w.line {
			return true
		}
	}
	c := Comment{Text: strings.TrimSpace(w.src[start+1 : end])}
	c.Start, c.End = w.lines.position(start), w.lines.position(end)
	w.file.Comments = append(w.file.Comments, c)
	return true
}

// heredoc reads up to the terminator and returns what is before it.
func (w *lineWalker) heredoc(name string, chomp bool) Word {
	from := w.pos
	for {
		start, end, ok := w.next()
		if !ok {
			return w.lines.word(w.src, from, w.pos)
		}
		text := w.src[start:end]
		if chomp {
			text = strings.TrimLeft(text, "\t")
		}
		if text == name {
			return w.lines.word(w.src, from, start)
		}
	}
}
