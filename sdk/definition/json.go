package definition

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// splitJSON returns the strings of a JSON array that encoding/json has accepted, unquoted; their ranges are inside the
// quotes.
func splitJSON(w Word) []Word {
	var words []Word
	for pos := 0; pos < len(w.Text); pos++ {
		if w.Text[pos] != '"' {
			continue
		}
		begin := pos + 1
		for pos++; w.Text[pos] != '"'; pos++ {
			if w.Text[pos] == '\\' {
				pos++
			}
		}
		words = append(words, unquoteJSON(w.Slice(begin, pos)))
	}
	return words
}

// unquoteJSON resolves the escapes of a JSON string's inside.
func unquoteJSON(raw Word) Word {
	if !strings.Contains(raw.Text, `\`) && utf8.ValidString(raw.Text) {
		return raw
	}
	var b builder
	for pos := 0; pos < len(raw.Text); {
		n := jsonRune(raw.Text[pos:])
		var text string
		_ = json.Unmarshal([]byte(`"`+raw.Text[pos:pos+n]+`"`), &text) // cannot fail: the whole was accepted
		b.add(text, raw.Slice(pos, pos+n))
		pos += n
	}
	return b.word(raw)
}

// jsonRune is the length of the first character or escape; two \u escapes that make one character are one.
func jsonRune(s string) int {
	if s[0] != '\\' {
		_, n := utf8.DecodeRuneInString(s)
		return n
	}
	if s[1] != 'u' {
		return 2
	}
	const high, low = "dD", "89abAB"
	if len(s) >= 12 && strings.ContainsRune(high, rune(s[2])) && strings.ContainsRune(low, rune(s[3])) && s[6:8] == `\u` {
		var pair string
		if json.Unmarshal([]byte(`"`+s[:12]+`"`), &pair) == nil && utf8.RuneCountInString(pair) == 1 {
			return 12
		}
	}
	return 6
}
