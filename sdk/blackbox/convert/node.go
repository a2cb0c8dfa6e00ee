package convert

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// object is a mapping of a YAML file. What is not taken from it is what the converter does not know.
type object struct {
	line  int
	keys  []string
	nodes map[string]*yaml.Node
	taken map[string]bool
}

// parse reads the one document of a file, which must be a mapping.
func parse(file string, data []byte) (*object, error) {
	var doc yaml.Node
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: %w", file, errEmpty)
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: expected a mapping", file, doc.Line)
	}
	return newObject(doc.Content[0]), nil
}

var errEmpty = errors.New("the file is empty")

// newObject returns an object; of a node that is no mapping it is empty.
func newObject(n *yaml.Node) *object {
	o := &object{nodes: map[string]*yaml.Node{}, taken: map[string]bool{}}
	if n = resolve(n); n == nil {
		return o
	}
	o.line = n.Line
	if n.Kind != yaml.MappingNode {
		return o
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if key == "<<" { // a merge of an anchor
			merged := newObject(n.Content[i+1])
			for _, k := range merged.keys {
				if o.nodes[k] == nil {
					o.keys, o.nodes[k] = append(o.keys, k), merged.nodes[k]
				}
			}
			continue
		}
		if o.nodes[key] == nil {
			o.keys = append(o.keys, key)
		}
		o.nodes[key] = n.Content[i+1]
	}
	return o
}

// resolve follows aliases, a bounded number of times.
func resolve(n *yaml.Node) *yaml.Node {
	for range 100 {
		if n == nil || n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return nil
}

// take returns the value of a key, or nil.
func (o *object) take(key string) *yaml.Node {
	o.taken[key] = true
	return resolve(o.nodes[key])
}

// rest returns the keys that were not taken.
func (o *object) rest() []string {
	var rest []string
	for _, k := range o.keys {
		if !o.taken[k] {
			rest = append(rest, k)
		}
	}
	return rest
}

func (o *object) lineOf(key string) int {
	if n := o.nodes[key]; n != nil {
		return n.Line
	}
	return o.line
}

// text returns a scalar, or "".
func (o *object) text(key string) string { return scalar(o.take(key)) }

func scalar(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// has says whether a key is there with a value.
func (o *object) has(key string) bool {
	n := resolve(o.nodes[key])
	return n != nil && n.Tag != "!!null"
}

// list returns the scalars of a sequence; a scalar alone is a list of one.
func (o *object) list(key string) []string { return scalars(o.take(key)) }

func scalars(n *yaml.Node) []string {
	if n == nil || n.Tag == "!!null" {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	var all []string
	for _, item := range n.Content {
		all = append(all, scalar(resolve(item)))
	}
	return all
}

// objects returns the mappings of a sequence.
func (o *object) objects(key string) []*object {
	n := o.take(key)
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	var all []*object
	for _, item := range n.Content {
		all = append(all, newObject(item))
	}
	return all
}

func (o *object) isTrue(key string, unset bool) bool {
	switch strings.ToLower(o.text(key)) {
	case "true", "yes", "on":
		return true
	case "false", "no", "off":
		return false
	default:
		return unset
	}
}
