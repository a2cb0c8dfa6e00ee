package bake

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"

	"github.com/docker/buildx/bake"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
)

// Limits of what is read. HCL's parser goes as deep as a file nests, so the depth is limited before.
const (
	maxFile  = 256 << 10
	maxDepth = 100
)

// foreign are the functions whose answer depends on the machine, the clock or chance.
var foreign = map[string]string{
	"homedir":   "asks the machine for a user's home",
	"timestamp": "asks the clock; a commit has one answer only",
	"uuidv4":    "gives another answer each time",
	"bcrypt":    "gives another answer each time",
}

func parse(p definition.Project) (*file, error) {
	switch {
	case len(p.Content) > maxFile:
		return nil, fileError(p.Name, "it has %d bytes; %d are allowed", len(p.Content), maxFile)
	case depth(p.Content) > maxDepth:
		return nil, fileError(p.Name, "it nests deeper than %d levels", maxDepth)
	}
	f := &file{name: p.Name, src: p.Content, blocks: map[string]*hcl.Block{}, origin: map[string]string{}}
	var err error
	if f.syntax, _, err = bake.ParseHCLFile(p.Content, p.Name); err != nil {
		if diags, ok := errors.AsType[hcl.Diagnostics](err); ok {
			return nil, f.diagnostics(diags)
		}
		return nil, fileError(p.Name, "%w", err)
	}
	content, _, _ := f.syntax.Body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "target", LabelNames: []string{"name"}}}})
	for _, b := range content.Blocks {
		if other := f.blocks[b.Labels[0]]; other != nil {
			return nil, f.errorAt(b.DefRange, "target %q is described twice, first at %s", b.Labels[0], f.place(other.DefRange))
		}
		f.blocks[b.Labels[0]] = b
		if err := f.known(b); err != nil {
			return nil, err
		}
	}
	return f, f.calls()
}

// known refuses attributes that buildx does not know, and would not look at.
func (f *file) known(block *hcl.Block) error {
	names := map[string]bool{"name": true, "matrix": true}
	for field := range reflect.TypeFor[bake.Target]().Fields() {
		tag, _, _ := strings.Cut(field.Tag.Get("hcl"), ",")
		names[tag] = true
	}
	attributes, _ := block.Body.JustAttributes()
	for _, a := range attributes {
		if !names[a.Name] && a.Name != "//" { // a comment in JSON
			return f.errorAt(a.NameRange, "target %s has the attribute %q, which nobody knows", block.Labels[0], a.Name)
		}
	}
	return nil
}

// depth is how deep brackets nest and operators follow each other, at most; those in texts count too.
func depth(src []byte) int {
	deepest, now, run := 0, 0, 0
	for _, c := range src {
		switch c {
		case '(', '[', '{':
			now++
		case ')', ']', '}':
			now = max(now-1, 0)
		}
		switch c {
		case '!', '-', '?':
			run++
		case ' ', '\t', '\n', '\r':
		default:
			run = 0
		}
		deepest = max(deepest, now, run)
	}
	return deepest
}

// calls refuses functions that are foreign to a commit.
func (f *file) calls() error {
	if body, ok := f.syntax.Body.(*hclsyntax.Body); ok {
		return f.walk(body)
	}
	var all any
	if err := json.Unmarshal(f.src, &all); err != nil {
		return fileError(f.name, "%w", err)
	}
	return f.texts(all)
}

// texts looks into the texts of a JSON file, which are templates.
func (f *file) texts(value any) error {
	switch v := value.(type) {
	case string:
		if !strings.Contains(v, "${") && !strings.Contains(v, "%{") {
			return nil
		}
		expr, diags := hclsyntax.ParseTemplate([]byte(v), f.name, hcl.InitialPos)
		if diags.HasErrors() {
			return nil // a text that is not evaluated, or an error that comes with its place
		}
		return f.walk(expr)
	case []any:
		for _, item := range v {
			if err := f.texts(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, item := range v {
			if err := f.texts(item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *file) walk(node hclsyntax.Node) error {
	var found error
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && found == nil {
			if why := foreign[call.Name]; why != "" {
				found = f.errorAt(f.native(call.NameRange), "the function %s is not allowed: it %s", call.Name, why)
			} else {
				found = f.padded(call)
			}
		}
		return nil
	})
	return found
}

// diagnostics is the first error of HCL, at its place.
func (f *file) diagnostics(diags hcl.Diagnostics) error {
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		text := d.Summary
		if d.Detail != "" {
			text += ": " + strings.Join(strings.Fields(d.Detail), " ")
		}
		if d.Subject == nil {
			return fileError(f.name, "%s", text)
		}
		return f.errorAt(*d.Subject, "%s", text)
	}
	return fileError(f.name, "%w", error(diags))
}
