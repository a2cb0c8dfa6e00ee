// Package template compiles a definition that fills in a Dockerfile of the platform team's:
//
//	template: go-service@3
//	parameters:
//	  package: ./cmd/server
//	  port: 8080
//
// The template, its parameters and their types are in the catalog ([catalog.Template]). What developers give can't
// become anything but what the template has in its place: values are checked by type, and the filled-in text must have the
// same instructions, flags, words and shell commands as one that is filled in with harmless values.
//
// Findings about what comes from the template are placed at the line that names it, with a note where in the template;
// findings about a parameter's value at the value.
package template

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/internal/yamlfile"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Compiler compiles definitions that name a template.
type Compiler struct {
	// Templates are those of the catalog: catalog.Templates().
	Templates []catalog.Template
}

// Names returns the usual file names.
func (Compiler) Names() []string { return []string{"plimsoll.yaml", "plimsoll.yml"} }

// Matches says whether a file is one: YAML that names a template.
func (Compiler) Matches(name string, content []byte) bool {
	ext := path.Ext(name)
	return (ext == ".yaml" || ext == ".yml") && yamlfile.Has(content, "template")
}

// keys are what such a file may have.
var keys = []string{"template", "parameters", "name", "context", "platforms", "labels"}

// Compile implements [definition.Compiler]. The context is the project's directory, or what the file names below it.
func (c Compiler) Compile(_ context.Context, p definition.Project) ([]definition.Target, error) {
	f, err := yamlfile.Parse(p.Name, p.Content)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(f.Root.Content); i += 2 {
		if key := f.Root.Content[i]; !slices.Contains(keys, key.Value) {
			return nil, f.Errorf(key, "unknown key %q; it knows %s", key.Value, strings.Join(keys, ", "))
		}
	}
	t, named, err := c.template(f)
	if err != nil {
		return nil, err
	}
	given, err := parameters(f, t, named)
	if err != nil {
		return nil, err
	}
	target, err := describe(f, p)
	if err != nil {
		return nil, err
	}
	target.Text, target.Map = fill(f, t, named, given)
	if err := sameShape(f, t, given, target.Text); err != nil {
		return nil, err
	}
	target.Place, target.Dockerfile = f.Place(named), f.Name
	return []definition.Target{*target}, nil
}

// template finds what the file names.
func (c Compiler) template(f *yamlfile.File) (t catalog.Template, named *yaml.Node, err error) {
	_, named = yamlfile.Get(f.Root, "template")
	if named == nil || named.Kind != yaml.ScalarNode {
		return t, nil, f.Errorf(named, "template should be name@version")
	}
	name, version, ok := strings.Cut(named.Value, "@")
	var versions, names []string
	for _, t := range c.Templates {
		if t.Name == name && t.Version == version {
			return t, named, nil
		}
		if t.Name == name {
			versions = append(versions, t.Version)
		}
		names = append(names, t.Ref())
	}
	switch {
	case len(c.Templates) == 0:
		return t, nil, f.Errorf(named, "the catalog has no templates, or none was given to look in")
	case len(versions) > 0 && !ok:
		return t, nil, f.Errorf(named, "template %s needs a version; there is %s", name, strings.Join(versions, ", "))
	case len(versions) > 0:
		return t, nil, f.Errorf(named, "template %s has no version %q; there is %s", name, version, strings.Join(versions, ", "))
	}
	return t, nil, f.Errorf(named, "there is no template %q; there is %s", named.Value, strings.Join(names, ", "))
}

// parameters are the nodes of the values that the file gives.
func parameters(f *yamlfile.File, t catalog.Template, named *yaml.Node) (map[string]*yaml.Node, error) {
	given := map[string]*yaml.Node{}
	key, all := yamlfile.Get(f.Root, "parameters")
	if key != nil && all.Kind != yaml.MappingNode {
		return nil, f.Errorf(all, "parameters should be a mapping of names and values")
	}
	for i := 0; all != nil && i+1 < len(all.Content); i += 2 {
		key, value := all.Content[i], yamlfile.Real(all.Content[i+1])
		p, ok := t.Parameter(key.Value)
		switch {
		case !ok:
			return nil, f.Errorf(key, "template %s has no parameter %q; it has %s", t.Ref(), key.Value, describeAll(t))
		case value.Kind != yaml.ScalarNode || value.Tag == "!!null":
			return nil, f.Errorf(value, "parameter %s should be one value", p.Name)
		}
		if err := p.Check(value.Value); err != nil {
			return nil, f.Errorf(value, "parameter %s: %w", p.Name, err)
		}
		given[p.Name] = value
	}
	for _, p := range t.Parameters {
		if given[p.Name] == nil && p.Default == nil {
			at := named
			if key != nil {
				at = key
			}
			return nil, f.Errorf(at, "template %s needs the parameter %s%s", t.Ref(), p.Name, about(p))
		}
	}
	return given, nil
}

func about(p catalog.Parameter) string {
	if p.Description == "" {
		return ""
	}
	return " (" + p.Description + ")"
}

func describeAll(t catalog.Template) string {
	var names []string
	for _, p := range t.Parameters {
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// describe reads what the file says beside template and parameters.
func describe(f *yamlfile.File, p definition.Project) (*definition.Target, error) {
	t := &definition.Target{Name: "default", Context: p.Dir, Build: definition.Build{Labels: map[string]string{}}}
	if _, n := yamlfile.Get(f.Root, "name"); n != nil {
		if n.Kind != yaml.ScalarNode || (catalog.Parameter{}).Check(n.Value) != nil {
			return nil, f.Errorf(n, "name should be a name of letters, digits and . _ -")
		}
		t.Name = n.Value
	}
	if _, n := yamlfile.Get(f.Root, "context"); n != nil {
		if err := (catalog.Parameter{Type: catalog.ParameterPath}).Check(n.Value); n.Kind != yaml.ScalarNode || err != nil {
			return nil, f.Errorf(n, "context should be a directory below this one: %w", err)
		}
		t.Context = path.Join(p.Dir, n.Value)
	}
	if _, n := yamlfile.Get(f.Root, "platforms"); n != nil {
		if err := n.Decode(&t.Build.Platforms); err != nil {
			return nil, f.Errorf(n, "platforms should be a list such as [linux/amd64]")
		}
	}
	if _, n := yamlfile.Get(f.Root, "labels"); n != nil {
		if err := n.Decode(&t.Build.Labels); err != nil {
			return nil, f.Errorf(n, "labels should be a mapping of texts")
		}
	}
	if len(p.Targets) > 0 && !slices.Contains(p.Targets, t.Name) {
		return nil, f.Errorf(nil, "there is no target %q; there is %s", p.Targets[0], t.Name)
	}
	return t, nil
}

// fill puts the values into the template's text.
func fill(f *yamlfile.File, t catalog.Template, named *yaml.Node, given map[string]*yaml.Node) ([]byte, definition.Map) {
	var text []byte
	var m definition.Map
	for _, piece := range t.Pieces() {
		if value := given[piece.Parameter]; piece.Parameter != "" && value != nil {
			place := f.Place(value)
			exact := place.End.Offset-place.Start.Offset == len(value.Value)
			m = append(m, definition.Segment{Start: len(text), End: len(text) + len(value.Value), Place: place, Exact: exact, Value: true})
			text = append(text, value.Value...)
			continue
		}
		words := piece.Text
		if p, ok := t.Parameter(piece.Parameter); ok {
			words = *p.Default
		}
		for i, line := range strings.SplitAfter(words, "\n") {
			if line == "" {
				continue
			}
			m = append(m, definition.Segment{Start: len(text), End: len(text) + len(line), Place: f.Place(named), Related: []finding.Related{{
				Place: t.Place, Message: fmt.Sprintf("it is in line %d of template %s", piece.Line+i, t.Ref()),
			}}})
			text = append(text, line...)
		}
	}
	return text, m
}
