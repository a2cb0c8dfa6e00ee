package definition

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

var directiveLine = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$`)

// directives finds the parser directives that take effect. BuildKit reads the top of a file twice: its parser for
// escape, its frontend for syntax and check. The first skips space before a "#" and the second a "#!" line, so each
// sees lines that the other does not.
func directives(src string, l *lines) []Directive {
	start := l.bom
	all := scanDirectives(src, start, l, true, "escape")
	if strings.HasPrefix(src[start:], "#!") {
		line, _, _ := strings.Cut(src[start:], "\n")
		start = min(len(src), start+len(line)+1)
	}
	all = append(all, scanDirectives(src, start, l, false, "syntax", "check")...)
	slices.SortFunc(all, func(a, b Directive) int { return a.Value.Start.Offset - b.Value.Start.Offset })
	return all
}

// scanDirectives reads directive lines from start on and returns those that have one of the names.
func scanDirectives(src string, start int, l *lines, indent bool, names ...string) []Directive {
	var found []Directive
	seen := map[string]bool{}
	for start < len(src) {
		line, _, _ := strings.Cut(src[start:], "\n")
		at := start
		start += len(line) + 1
		if indent {
			at += len(line) - len(strings.TrimLeftFunc(line, unicode.IsSpace))
			line = src[at : start-1]
		}
		text, ok := strings.CutPrefix(strings.TrimRight(line, "\r"), "#")
		if !ok {
			break
		}
		at += 1 + len(text) - len(strings.TrimLeftFunc(text, unicode.IsSpace))
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
		m := directiveLine.FindStringSubmatchIndex(text)
		if m == nil {
			break
		}
		name := strings.ToLower(text[m[2]:m[3]])
		if seen[name] || !slices.Contains([]string{"syntax", "check", "escape"}, name) {
			break
		}
		seen[name] = true
		if slices.Contains(names, name) {
			found = append(found, Directive{Name: name, Value: l.word(src, at+m[4], at+m[5])})
		}
	}
	return found
}

// word makes a word of src[start:end].
func (l *lines) word(src string, start, end int) Word {
	s := &source{lines: l, runs: []run{{0, end - start, start, end - start}}}
	return s.word(src[start:end], 0)
}
