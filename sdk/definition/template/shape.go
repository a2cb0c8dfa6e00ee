package template

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
	"mvdan.cc/sh/v3/syntax"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/internal/yamlfile"
)

// Check says whether a template's text is a Dockerfile, with harmless values for its parameters. The error names the line
// of the text.
func Check(t catalog.Template) error {
	_, err := definition.Parse(t.Ref(), []byte(neutral(t)))
	return err
}

// harmless are values that no rule of a Dockerfile or shell gives a meaning to.
var harmless = map[catalog.ParameterType]string{
	catalog.ParameterInteger: "1", catalog.ParameterBoolean: "true", catalog.ParameterVersion: "1",
	catalog.ParameterPort: "1", catalog.ParameterImage: "registry.invalid/x:1",
}

func neutral(t catalog.Template) string {
	var b strings.Builder
	for _, piece := range t.Pieces() {
		p, ok := t.Parameter(piece.Parameter)
		switch value := harmless[p.Type]; {
		case !ok:
			b.WriteString(piece.Text)
		case value != "":
			b.WriteString(value)
		default:
			b.WriteString("x")
		}
	}
	return b.String()
}

// sameShape refuses values that change more than the words they are in. The types' forms alone keep them from that; this
// holds whatever a template does with them.
func sameShape(f *yamlfile.File, t catalog.Template, given map[string]*yaml.Node, text []byte) error {
	want, err := definition.Parse(t.Ref(), []byte(neutral(t)))
	if err != nil {
		return f.Errorf(nil, "template %s is broken, tell %s: %w", t.Ref(), t.Owner, err)
	}
	got, err := definition.Parse(f.Name, text)
	if err == nil && slices.Equal(shape(want), shape(got)) {
		return nil
	}
	// Whose value is it? The first that does so alone, the others being harmless.
	for _, p := range t.Parameters {
		value := given[p.Name]
		if value == nil {
			continue
		}
		alone, err := definition.Parse(f.Name, []byte(with(t, p.Name, value.Value)))
		if err != nil || !slices.Equal(shape(want), shape(alone)) {
			return f.Errorf(value, "parameter %s: its value would change the template's instructions, not only a word in them", p.Name)
		}
	}
	return f.Errorf(nil, "the parameters together would change the template's instructions, not only words in them")
}

// with fills in one value.
func with(t catalog.Template, name, value string) string {
	only := t
	only.Dockerfile = ""
	for _, piece := range t.Pieces() {
		if piece.Parameter == name {
			only.Dockerfile += value
		} else {
			only.Dockerfile += piece.Text
		}
	}
	return neutral(only)
}

// shape is what a Dockerfile's structure is: instructions, flags, words, heredocs and shell commands, without what they
// say.
func shape(f *definition.File) []string {
	lines := []string{fmt.Sprintf("%d directives, %d comments, %d stages, escape %c", len(f.Directives), len(f.Comments), len(f.Stages), f.Escape)}
	for _, in := range f.Instructions {
		for ; in != nil; in = in.Trigger {
			var line strings.Builder
			fmt.Fprintf(&line, "%s %d words %d pairs json %t", in.Name, len(in.Args), len(in.Pairs()), in.JSON)
			for _, flag := range in.Flags {
				fmt.Fprintf(&line, " --%s", flag.Name)
				for _, field := range flag.Fields() {
					if field.Value.Text != "" {
						line.WriteString("," + field.Name)
					}
				}
			}
			for _, h := range in.Heredocs {
				line.WriteString(" <<" + h.Name)
			}
			lines = append(lines, line.String()+script(in))
		}
	}
	return lines
}

// script is the structure of a shell script: its nodes, without what they say.
func script(in *definition.Instruction) string {
	var words []definition.Word
	switch in.Name {
	case "run", "cmd", "entrypoint", "healthcheck":
		if !in.JSON {
			words = append(words, in.Args...)
		}
	}
	for _, h := range in.Heredocs {
		words = append(words, h.Body)
	}
	var b strings.Builder
	for _, w := range words {
		tree, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(w.Text), "")
		if err != nil {
			fmt.Fprintf(&b, " %d lines", strings.Count(w.Text, "\n"))
			continue
		}
		syntax.Walk(tree, func(n syntax.Node) bool {
			if n != nil {
				fmt.Fprintf(&b, " %T", n)
			}
			return true
		})
	}
	return b.String()
}
