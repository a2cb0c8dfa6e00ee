package definition

import "strings"

// Field is one name=value of a flag that holds several, such as --mount=type=bind,from=build,target=/x.
type Field struct {
	// Name is in lower case.
	Name string
	// Word is the whole field; Value what stands after "=", zero when there is none.
	Word, Value Word
}

// Fields splits the value of --mount as BuildKit does: comma-separated values, of which some may be in double quotes.
func (f Flag) Fields() []Field {
	var fields []Field
	for rest, more := f.Value, f.Value.Text != ""; more; {
		var w Word
		w, rest, more = nextField(rest)
		name, _, ok := strings.Cut(w.Text, "=")
		field := Field{Name: strings.ToLower(name), Word: w}
		if ok {
			field.Value = w.Slice(len(name)+1, len(w.Text))
		}
		fields = append(fields, field)
	}
	return fields
}

// nextField takes the first comma-separated value off; more says that a comma followed it.
func nextField(w Word) (field, rest Word, more bool) {
	end := strings.IndexByte(w.Text, ',')
	if strings.HasPrefix(w.Text, `"`) {
		return quotedField(w)
	}
	if end < 0 {
		return w.Slice(0, len(w.Text)), Word{}, false
	}
	return w.Slice(0, end), w.Slice(end+1, len(w.Text)), true
}

// quotedField reads a value in double quotes, where two of them mean one.
func quotedField(w Word) (field, rest Word, more bool) {
	s := w.Text
	var b builder
	pos := 1
	for pos < len(s) {
		if s[pos] == '"' {
			if !strings.HasPrefix(s[pos:], `""`) {
				break
			}
			b.add(`"`, w.Slice(pos, pos+2))
			pos += 2
			continue
		}
		b.add(s[pos:pos+1], w.Slice(pos, pos+1))
		pos++
	}
	field = b.word(w.Slice(1, max(1, pos)))
	if pos+2 <= len(s) {
		return field, w.Slice(pos+2, len(s)), true
	}
	return field, Word{}, false
}
