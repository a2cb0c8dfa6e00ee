package definition

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The functions here split text into words exactly as BuildKit's parser does, byte by byte, and keep the places.
// Where its habits are odd (flags are read as bytes, so that 0xA0 is a space in them), so are these.

// nextSpace finds the next run of the spaces that separate words, from a byte on; -1 if there is none.
func nextSpace(s string, from int) (start, end int) {
	const spaces = "\t\v\f\r "
	start = strings.IndexAny(s[from:], spaces)
	if start < 0 {
		return -1, -1
	}
	start += from
	end = start + 1
	for end < len(s) && strings.IndexByte(spaces, s[end]) >= 0 {
		end++
	}
	return start, end
}

// splitCommand takes the keyword and the flags off a line.
func splitCommand(line Word, escape byte) (keyword Word, flags []Flag, rest Word) {
	line = line.trim()
	start, end := nextSpace(line.Text, 0)
	if start < 0 {
		return line, nil, line.Slice(len(line.Text), len(line.Text))
	}
	keyword, rest = line.cut(start, end-start)
	flags, rest = splitFlags(rest, escape)
	return keyword, flags, rest.trim()
}

// splitFlags takes --name=value words off the front, up to "--" or a word that is no flag.
func splitFlags(line Word, escape byte) (flags []Flag, rest Word) {
	s := line.Text
	pos := 0
	for {
		for pos < len(s) && unicode.IsSpace(rune(s[pos])) {
			pos++
		}
		if !strings.HasPrefix(s[pos:], "--") {
			return flags, line.Slice(pos, len(s))
		}
		flag, end := readFlag(line, pos, escape)
		pos = end
		if flag.Word.Text == "--" {
			return flags, line.Slice(pos, len(s))
		}
		flags = append(flags, flag)
		if pos == len(s) {
			return flags, line.Slice(pos, pos)
		}
	}
}

// readFlag reads the flag at pos and returns where it ends.
func readFlag(line Word, pos int, escape byte) (Flag, int) {
	end, value, plain := scanFlag(line.Text, pos, escape)
	raw := line.Slice(pos, end)
	f := Flag{Word: raw}
	if !plain {
		f.Word = unquoteFlag(raw, escape)
	}
	name, _, hasValue := strings.Cut(f.Word.Text, "=")
	f.Name = strings.TrimPrefix(name, "--")
	if hasValue {
		f.Value = f.Word.Slice(len(name)+1, len(f.Word.Text))
		if !plain && value >= 0 {
			whole := line.Slice(value, end)
			f.Value.Start, f.Value.End = whole.Start, whole.End
		}
	}
	return f, end
}

// scanFlag finds the end of the flag at pos, and where its value begins; -1 if that is inside a quote that began before.
// A plain flag has nothing that must be taken out.
func scanFlag(s string, pos int, escape byte) (end, value int, plain bool) {
	var quote byte
	plain = true
	value = -1
	seen := false
	for ; pos < len(s) && (quote != 0 || !unicode.IsSpace(rune(s[pos]))); pos++ {
		c := s[pos]
		switch {
		case quote == 0 && (c == '\'' || c == '"'):
			quote, plain = c, false
		case quote != 0 && c == quote:
			quote = 0
		case c == escape:
			plain = false
			pos = min(pos+1, len(s)-1)
		case c >= utf8.RuneSelf:
			plain = false
		}
		if s[pos] == '=' && !seen {
			seen = true
			if quote == 0 {
				value = pos + 1
			}
		}
	}
	return pos, value, plain
}

// unquoteFlag takes quotes and escapes out, which may stand anywhere in a flag.
func unquoteFlag(raw Word, escape byte) Word {
	var b builder
	var quote byte
	for pos := 0; pos < len(raw.Text); pos++ {
		switch c := raw.Text[pos]; {
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
			continue
		case quote != 0 && c == quote:
			quote = 0
			continue
		case c == escape:
			if pos++; pos == len(raw.Text) {
				continue
			}
		}
		b.add(string(rune(raw.Text[pos])), raw.Slice(pos, pos+1))
	}
	return b.word(raw)
}

// splitSpaces splits at those spaces only.
func splitSpaces(w Word) []Word {
	var words []Word
	from := 0
	for {
		start, end := nextSpace(w.Text, from)
		if start < 0 {
			return append(words, w.Slice(from, len(w.Text)))
		}
		words = append(words, w.Slice(from, start))
		from = end
	}
}

// splitFirst takes the first word off.
func splitFirst(w Word) (first, rest Word) {
	isSpace := func(i int) bool { return unicode.IsSpace(rune(w.Text[i])) }
	end := 0
	for end < len(w.Text) && !isSpace(end) {
		end++
	}
	next := end
	for next < len(w.Text) && isSpace(next) {
		next++
	}
	return w.cut(end, next-end)
}

// splitWords splits at space outside quotes; quotes and escapes stay.
func splitWords(line Word, escape byte) []Word {
	var words []Word
	s := line.Text
	for pos := 0; pos < len(s); {
		if r, n := utf8.DecodeRuneInString(s[pos:]); unicode.IsSpace(r) {
			pos += n
			continue
		}
		var w Word
		if w, pos = readWord(line, pos, escape); w.Text != "" {
			words = append(words, w)
		}
	}
	return words
}

// readWord reads the word at pos and returns where it ends.
func readWord(line Word, pos int, escape byte) (Word, int) {
	s := line.Text
	begin := pos
	var quote rune
	dangling := 0 // bytes of an escape with nothing after it, which BuildKit drops
	for pos < len(s) {
		r, n := utf8.DecodeRuneInString(s[pos:])
		if quote == 0 && unicode.IsSpace(r) {
			break
		}
		pos += n
		switch {
		case r == rune(escape) && quote != '\'':
			if pos == len(s) {
				dangling = n
				break
			}
			_, n = utf8.DecodeRuneInString(s[pos:])
			pos += n
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case r == quote:
			quote = 0
		}
	}
	raw := line.Slice(begin, pos-dangling)
	if utf8.ValidString(raw.Text) {
		return raw, pos
	}
	var b builder
	for i, r := range raw.Text {
		b.add(string(r), raw.Slice(i, i+runeLen(raw.Text[i:])))
	}
	return b.word(raw), pos
}

func runeLen(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}
