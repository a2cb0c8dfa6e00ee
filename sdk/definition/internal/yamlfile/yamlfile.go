// Package yamlfile reads YAML files that people wrote, with the place of each value.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// MaxBytes is how large a file may be.
const MaxBytes = 256 << 10

// maxDepth is how deep a file may nest.
const maxDepth = 100

// File is a YAML file with one document, a mapping.
type File struct {
	Name string
	Src  []byte
	Root *yaml.Node
}

// Parse reads a file. Errors are [*definition.SyntaxError].
func Parse(name string, src []byte) (*File, error) {
	f := &File{Name: name, Src: src}
	if len(src) > MaxBytes {
		return nil, f.Errorf(nil, "it has %d bytes; %d are allowed", len(src), MaxBytes)
	}
	if !utf8.Valid(src) || bytes.IndexByte(src, 0) >= 0 {
		return nil, f.Errorf(nil, "it is not UTF-8 text")
	}
	if flow(src) > maxDepth {
		return nil, f.Errorf(nil, "it nests deeper than %d levels", maxDepth)
	}
	var root yaml.Node
	if err := yaml.Load(src, &root); err != nil {
		var at *yaml.LoadError
		if errors.As(err, &at) && at.Mark.Line > 0 {
			return nil, &definition.SyntaxError{Place: f.place(at.Mark.Line, at.Mark.Column), Err: errors.New("not YAML: " + at.Message)}
		}
		return nil, f.Errorf(nil, "not YAML: %w", err)
	}
	if len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode {
		return nil, f.Errorf(nil, "it is not a mapping of keys and values")
	}
	f.Root = root.Content[0]
	if deep(f.Root, 0) {
		return nil, f.Errorf(nil, "it nests deeper than %d levels", maxDepth)
	}
	if err := f.twice(f.Root); err != nil {
		return nil, err
	}
	return f, nil
}

// twice refuses mappings that have a key twice: which of them counts can only be guessed.
func (f *File) twice(n *yaml.Node) error {
	seen := map[string]bool{}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Kind == yaml.ScalarNode && c.Value != "<<" {
			if seen[c.Value] {
				return f.Errorf(c, "the key %q is there twice", c.Value)
			}
			seen[c.Value] = true
		}
		if err := f.twice(c); err != nil {
			return err
		}
	}
	return nil
}

// flow is how deep brackets nest, at most; those in texts count too.
func flow(src []byte) int {
	deepest, now := 0, 0
	for _, c := range src {
		switch c {
		case '[', '{':
			now++
		case ']', '}':
			now = max(now-1, 0)
		}
		deepest = max(deepest, now)
	}
	return deepest
}

func deep(n *yaml.Node, depth int) bool {
	if depth > maxDepth {
		return true
	}
	for _, c := range n.Content {
		if deep(c, depth+1) {
			return true
		}
	}
	return false
}

// Errorf is an error at a node, or about the whole file when it is nil.
func (f *File) Errorf(at *yaml.Node, format string, args ...any) error {
	place := finding.Place{File: f.Name}
	if at != nil {
		place = f.Place(at)
	}
	return &definition.SyntaxError{Place: place, Err: fmt.Errorf(format, args...)}
}

// Place is where a node stands: a plain text from its first to its last byte, anything else where it begins.
func (f *File) Place(n *yaml.Node) finding.Place {
	p := f.place(n.Line, n.Column)
	if n.Kind == yaml.ScalarNode && n.Style == 0 && bytes.HasPrefix(f.Src[p.Start.Offset:], []byte(n.Value)) {
		p.End.Offset += len(n.Value)
		p.End.Column += len(n.Value)
	}
	return p
}

// place turns the library's line and column, which counts characters, into ours, which counts bytes.
func (f *File) place(line, column int) finding.Place {
	start := 0
	for range line - 1 {
		i := bytes.IndexByte(f.Src[start:], '\n')
		if i < 0 {
			break
		}
		start += i + 1
	}
	offset := start
	if start == 0 && bytes.HasPrefix(f.Src, []byte("\xef\xbb\xbf")) {
		offset, start = 3, 3
	}
	for range column - 1 {
		if offset >= len(f.Src) {
			break
		}
		_, n := utf8.DecodeRune(f.Src[offset:])
		offset += n
	}
	at := finding.Position{Line: max(line, 1), Column: offset - start + 1, Offset: offset}
	return finding.Place{File: f.Name, Start: at, End: at}
}

// TextMap maps a text that a node holds: a literal block line by line, anything else as a whole.
func (f *File) TextMap(n *yaml.Node, text []byte) definition.Map {
	n = Real(n)
	place := f.Place(n)
	if n.Style&yaml.LiteralStyle != 0 {
		if i := bytes.IndexByte(f.Src[place.Start.Offset:], '\n'); i >= 0 {
			return definition.LineMap(f.Name, f.Src, place.Start.Offset+i+1, len(f.Src), text)
		}
	}
	return definition.Map{{End: len(text), Place: place}}
}

// Real follows an alias to what it stands for.
func Real(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// Get returns the value of a key of a mapping, merged ones (<<) among them, and the key; nil when there is none.
func Get(n *yaml.Node, key string) (k, v *yaml.Node) {
	if n = Real(n); n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i], Real(n.Content[i+1])
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "<<" {
			continue
		}
		merged := Real(n.Content[i+1])
		if merged.Kind == yaml.MappingNode {
			if k, v := Get(merged, key); k != nil {
				return k, v
			}
		}
		for _, item := range merged.Content {
			if merged.Kind != yaml.SequenceNode {
				break
			}
			if k, v := Get(item, key); k != nil {
				return k, v
			}
		}
	}
	return nil, nil
}

// Has says whether a text has a top-level key, without reading it as YAML.
func Has(src []byte, key string) bool {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	for line := range bytes.Lines(src) {
		rest, ok := strings.CutPrefix(string(line), key)
		if ok && strings.HasPrefix(strings.TrimLeft(rest, " \t"), ":") {
			return true
		}
	}
	return false
}
