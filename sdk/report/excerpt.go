package report

import "github.com/plimsoll-dev/plimsoll/sdk/finding"

const (
	maxLine = 160 // runes of a line that an excerpt shows
	leadIn  = 60  // runes of those before the finding
)

// excerpt is the first line of a place, cut where the finding is. Its text is visible.
type excerpt struct {
	Line                  int
	Before, Marked, After string
}

func (s *source) excerpt(p finding.Place) (excerpt, bool) {
	line, ok := s.line(p.File, p.Start.Line)
	if !ok || p.Start.Column > len(line)+1 {
		return excerpt{}, false
	}
	if s.hidden[lineKey{p.File, p.Start.Line}] {
		return excerpt{Line: p.Start.Line, Before: visible(masked(line))}.shorten(), true
	}
	start, end := p.Start.Column-1, len(line)
	switch {
	case start < 0: // the line as a whole
		start, end = 0, 0
	case p.End.Line == 0:
		end = start
	case p.End.Line == p.Start.Line:
		end = max(start, min(end, p.End.Column-1))
	}
	e := excerpt{p.Start.Line, visible(line[:start]), visible(line[start:end]), visible(line[end:])}
	return e.shorten(), true
}

// shorten keeps the part of a very long line that is around the finding.
func (e excerpt) shorten() excerpt {
	before, marked, after := []rune(e.Before), []rune(e.Marked), []rune(e.After)
	if len(before)+len(marked)+len(after) <= maxLine {
		return e
	}
	room := maxLine
	if n := len(before) - leadIn; n > 0 {
		e.Before = "…" + string(before[n:])
	}
	room -= min(len(before), leadIn)
	e.Marked = cut(marked, room)
	room -= min(len(marked), room)
	e.After = cut(after, room)
	return e
}

func cut(text []rune, room int) string {
	if len(text) <= room {
		return string(text)
	}
	return string(text[:room]) + "…"
}
