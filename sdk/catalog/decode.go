package catalog

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// decoder reads one file into a [Document], strictly, and goes on after a problem so that all are reported at once. It
// remembers the place of every value by the address of the field that it went to, for the checks that come after.
type decoder struct {
	file     string
	src      []byte
	lines    []int                              // offset of each line
	near     struct{ line, column, offset int } // the last place, from which the next one is not far
	places   map[any]finding.Place
	broken   map[any]bool // what has no value, or one of another kind
	problems []Problem
}

// decode fills doc. A file that is no YAML has one problem, the first.
func (d *decoder) decode(doc *Document) {
	d.places, d.broken = map[any]finding.Place{}, map[any]bool{}
	d.lines = []int{0}
	for i, c := range d.src {
		if c == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	if at := invalidByte(d.src); at >= 0 {
		line, _ := slices.BinarySearch(d.lines, at+1)
		start := d.lines[line-1]
		d.report(d.place(line, utf8.RuneCount(d.src[start:at])+1), "byte %#02x is not part of a text; catalogs are UTF-8 with line breaks LF or CRLF", d.src[at])
		return
	}
	var root yaml.Node
	if err := yaml.Load(d.src, &root); err != nil {
		d.syntax(err)
		return
	}
	d.value(root.Content[0], reflect.ValueOf(doc).Elem(), "the catalog")
}

// invalidByte finds the first byte that no catalog has, or -1: what is no UTF-8, control characters, and line breaks that
// YAML counts and editors do not.
func invalidByte(src []byte) int {
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		switch {
		case r == utf8.RuneError && n == 1, r < ' ' && r != '\n' && r != '\r' && r != '\t', r >= 0x7f && r < 0xa0, r == '\u2028', r == '\u2029':
			return i
		case r == '\r' && (i+1 == len(src) || src[i+1] != '\n'):
			return i
		}
		i += n
	}
	return -1
}

// syntax puts the YAML library's error into our form.
func (d *decoder) syntax(err error) {
	var at *yaml.LoadError
	switch {
	case len(bytes.TrimSpace(d.src)) == 0 || strings.Contains(err.Error(), "no documents"):
		d.report(d.place(1, 1), "the file is empty; a catalog begins with \"version: 1\"")
	case strings.Contains(err.Error(), "multiple"):
		d.report(d.place(1, 1), "the file has several YAML documents; put each in a file of its own")
	case errors.As(err, &at) && at.Mark.Line > 0:
		d.report(d.place(at.Mark.Line, at.Mark.Column), "not YAML: %s", at.Message)
	default:
		d.report(d.place(1, 1), "not YAML: %v", err)
	}
}

func (d *decoder) report(at finding.Place, format string, args ...any) {
	if len(d.problems) > maxProblems {
		return // the one too many says that there are more
	}
	d.problems = append(d.problems, Problem{Place: at, Message: fmt.Sprintf(format, args...)})
}

// place turns the library's line and column, which counts characters, into ours, which counts bytes.
func (d *decoder) place(line, column int) finding.Place {
	pos := finding.Position{Line: max(line, 1), Column: max(column, 1)}
	if pos.Line <= len(d.lines) {
		start := d.lines[pos.Line-1]
		if start == 0 && bytes.HasPrefix(d.src, []byte("\xef\xbb\xbf")) {
			start = 3
		}
		if d.near.line != pos.Line || d.near.column > pos.Column {
			d.near.line, d.near.column, d.near.offset = pos.Line, 1, start
		}
		for ; d.near.column < pos.Column; d.near.column++ {
			_, n := utf8.DecodeRune(d.src[d.near.offset:])
			d.near.offset += n
		}
		pos.Offset = d.near.offset
		pos.Column = pos.Offset - start + 1
	}
	return finding.Place{File: d.file, Start: pos, End: pos}
}

// value reads a node into a field; what names it in messages.
func (d *decoder) value(n *yaml.Node, v reflect.Value, what string) {
	at := d.place(n.Line, n.Column)
	d.places[v.Addr().Interface()] = at
	if n.Anchor != "" {
		d.report(at, "%s has an anchor; catalogs spell everything out", what)
	}
	problem := ""
	switch {
	case n.Kind == yaml.AliasNode:
		problem = "is an alias; catalogs spell everything out"
	case n.Style&yaml.TaggedStyle != 0 || !strings.HasPrefix(n.Tag, "!!"):
		problem = "has the YAML tag " + n.Tag + "; catalogs use none"
	case n.Tag == "!!null":
		problem = "has no value"
	case v.Kind() == reflect.Struct && n.Kind != yaml.MappingNode && !isText(v):
		problem = "is " + nodeKind(n) + "; it should be a mapping (key: value)"
	}
	if problem != "" {
		d.report(at, "%s %s", what, problem)
		d.broken[v.Addr().Interface()] = true
		return
	}
	if text, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		if d.scalar(n, what, "!!str", "!!timestamp") {
			if err := text.UnmarshalText([]byte(n.Value)); err != nil {
				d.report(at, "%s: %v", what, err)
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), what)
	case reflect.Struct:
		d.object(n, v, what)
	case reflect.Map:
		d.table(n, v, what)
	case reflect.Slice:
		d.list(n, v, what)
	case reflect.String:
		if d.scalar(n, what, "!!str", "!!timestamp") {
			v.SetString(n.Value)
		}
		if n.Kind == yaml.ScalarNode && strings.TrimSpace(n.Value) == "" && what != "suffix" && what != "prefix" {
			d.report(at, "%s is empty", what)
		}
	case reflect.Bool:
		if d.scalar(n, what, "!!bool") {
			v.SetBool(strings.EqualFold(n.Value, "true"))
		}
	case reflect.Int:
		if d.scalar(n, what, "!!int") {
			i, err := strconv.Atoi(n.Value)
			if err != nil {
				d.report(at, "%s: %q is not a whole number", what, clip(n.Value))
			}
			v.SetInt(int64(i))
		}
	default:
		panic("catalog: no decoding for " + v.Type().String())
	}
}

func isText(v reflect.Value) bool {
	_, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr())
	return ok
}

// scalar checks that a node is one value of one of the tags, and says how to write it when it isn't.
func (d *decoder) scalar(n *yaml.Node, what string, tags ...string) bool {
	at := d.place(n.Line, n.Column)
	switch {
	case n.Kind != yaml.ScalarNode:
		d.report(at, "%s is %s; it should be one value", what, nodeKind(n))
	case slices.Contains(tags, n.Tag):
		return true
	case tags[0] == "!!str":
		d.report(at, "%s: %s is read as %s; put it in quotes: %q", what, clip(n.Value), strings.TrimPrefix(n.Tag, "!!"), clip(n.Value))
	default:
		d.report(at, "%s: %q is not %s", what, clip(n.Value), map[string]string{"!!bool": "true or false", "!!int": "a whole number"}[tags[0]])
	}
	return false
}

func nodeKind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, what string) {
	if n.Kind != yaml.SequenceNode {
		d.report(d.place(n.Line, n.Column), "%s is %s; it should be a list: [...]", what, nodeKind(n))
		return
	}
	// All elements at once: their addresses are remembered.
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.value(item, v.Index(i), strings.TrimSuffix(what, "s"))
	}
}

// table reads a mapping from any text to text.
func (d *decoder) table(n *yaml.Node, v reflect.Value, what string) {
	v.Set(reflect.MakeMap(v.Type()))
	d.pairs(n, what, func(key, value *yaml.Node) {
		text := reflect.New(v.Type().Elem()).Elem()
		d.value(value, text, key.Value)
		v.SetMapIndex(reflect.ValueOf(key.Value), text)
	})
}

func (d *decoder) object(n *yaml.Node, v reflect.Value, what string) {
	fields := map[string]reflect.Value{}
	collectFields(v, fields)
	if place := v.FieldByName("Place"); place.IsValid() {
		place.Set(reflect.ValueOf(d.place(n.Line, n.Column)))
	}
	d.pairs(n, what, func(key, value *yaml.Node) {
		if field, ok := fields[key.Value]; ok {
			d.value(value, field, key.Value)
			return
		}
		known := slices.Sorted(maps.Keys(fields))
		hint := "it knows " + strings.Join(known, ", ")
		if near := nearest(key.Value, known); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		d.report(d.place(key.Line, key.Column), "unknown key %q in %s; %s", clip(key.Value), what, hint)
	})
}

// pairs visits the keys of a mapping and reports those that are there twice.
func (d *decoder) pairs(n *yaml.Node, what string, visit func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.report(d.place(n.Line, n.Column), "%s is %s; it should be a mapping (key: value)", what, nodeKind(n))
		return
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := d.place(key.Line, key.Column)
		switch first := seen[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			d.report(at, "a key of %s is %s; it should be a name", what, nodeKind(key))
		case first != nil:
			d.report(at, "key %q is there twice, first in line %d", clip(key.Value), first.Line)
		default:
			seen[key.Value] = key
			visit(key, value)
		}
	}
}

// collectFields maps the JSON names of a struct's fields, those of embedded structs among them, to the fields.
func collectFields(v reflect.Value, fields map[string]reflect.Value) {
	for i := range v.NumField() {
		tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		switch {
		case v.Type().Field(i).Anonymous:
			collectFields(v.Field(i), fields)
		case tag != "-" && tag != "":
			fields[tag] = v.Field(i)
		}
	}
}

// has says whether the file gave a value, right or wrong, for the field that ptr points to.
func (d *decoder) has(ptr any) bool {
	_, ok := d.places[ptr]
	return ok
}

// at is the place of the value that the field got, or of the object around it.
func (d *decoder) at(ptr any, object finding.Place) finding.Place {
	if p, ok := d.places[ptr]; ok {
		return p
	}
	return object
}
