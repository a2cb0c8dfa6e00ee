package bake

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/internal/inside"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// target makes what a build needs of one target.
func (f *file) target(name string, p definition.Project) (*definition.Target, error) {
	t, err := f.config.ResolveTarget(name, nil, nil)
	if err != nil {
		return nil, f.errorAt(f.block(name), "target %s: %w", name, err)
	}
	out := &definition.Target{Name: name, Place: f.place(f.block(name)), Build: definition.Build{
		Args: values(t.Args), Labels: values(t.Labels), Platforms: slices.Clone(t.Platforms), Places: map[string]finding.Place{},
	}}
	if t.Target != nil {
		out.Build.Stage = *t.Target
	}
	for _, s := range t.Secrets {
		out.Build.Secrets = append(out.Build.Secrets, s.ID)
	}
	for _, s := range t.SSH {
		out.Build.SSH = append(out.Build.SSH, s.ID)
	}
	slices.Sort(out.Build.Secrets)
	slices.Sort(out.Build.SSH)
	dir, err := f.dir(name, "context", *t.Context, p.Dir)
	if err != nil {
		return nil, err
	}
	out.Context, out.Dockerfile = dir, *t.Dockerfile
	if attr := f.attribute(name, "dockerfile-inline"); t.DockerfileInline != nil {
		out.Dockerfile, out.Text = f.name, []byte(*t.DockerfileInline)
		if attr != nil {
			out.Map = f.textMap(attr.Expr.Range(), out.Text)
		} else {
			out.Map = definition.Map{{End: len(out.Text), Place: out.Place}}
		}
	} else if inside.Foreign(out.Dockerfile) {
		return nil, f.errorAt(f.at(name, "dockerfile"), "dockerfile %q is not in the repository", out.Dockerfile)
	} else {
		out.Dockerfile = path.Join(dir, out.Dockerfile)
	}
	for key, value := range t.Contexts {
		if !strings.HasPrefix(value, "docker-image://") {
			if value, err = f.dir(name, "contexts", value, p.Dir); err != nil {
				return nil, err
			}
			value = "local:" + value
		}
		if out.Build.Contexts == nil {
			out.Build.Contexts = map[string]string{}
		}
		out.Build.Contexts[key] = value
	}
	f.keys(name, "args", "arg:", out.Build.Places)
	f.keys(name, "contexts", "context:", out.Build.Places)
	return out, nil
}

// dir is a directory of the repository that a target names.
func (f *file) dir(target, attribute, value, base string) (string, error) {
	if inside.Foreign(value) {
		what := "is not a directory of the repository"
		if strings.HasPrefix(value, "target:") {
			what = "is another target, which is not supported: make it a stage of one Dockerfile"
		}
		return "", f.errorAt(f.at(target, attribute), "%s %q %s", attribute, inside.Redact(value), what)
	}
	dir, out := inside.Join(base, value)
	if out {
		return "", f.errorAt(f.at(target, attribute), "%s %q leads out of the repository", attribute, value)
	}
	return dir, nil
}

func values(all map[string]*string) map[string]string {
	out := map[string]string{}
	for name, value := range all {
		if value != nil {
			out[name] = *value
		}
	}
	return out
}

// attribute is where a target says something, itself or by way of those that it inherits from, of which the last counts.
func (f *file) attribute(target, name string) *hcl.Attribute { return f.inherited(target, name, 0) }

func (f *file) inherited(target, name string, depth int) *hcl.Attribute {
	block := f.blocks[cmp.Or(f.origin[target], target)]
	if block == nil || depth > maxDepth {
		return nil
	}
	content, _, _ := block.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: name}}})
	if a := content.Attributes[name]; a != nil {
		return a
	}
	for _, parent := range slices.Backward(f.parents(target)) {
		if a := f.inherited(parent, name, depth+1); a != nil {
			return a
		}
	}
	return nil
}

func (f *file) parents(target string) []string {
	for _, t := range f.config.Targets {
		if t.Name == target {
			return t.Inherits
		}
	}
	return nil
}

// at is the place of an attribute's value, or of the target when it does not have it.
func (f *file) at(target, name string) hcl.Range {
	if a := f.attribute(target, name); a != nil {
		return a.Expr.Range()
	}
	return f.block(target)
}

// keys notes where the values of a map are given. A target's own come over those that it inherits.
func (f *file) keys(target, attribute, prefix string, places map[string]finding.Place) {
	f.collect(target, attribute, prefix, places, 0)
}

func (f *file) collect(target, attribute, prefix string, places map[string]finding.Place, depth int) {
	block := f.blocks[cmp.Or(f.origin[target], target)]
	if block == nil || depth > maxDepth {
		return
	}
	for _, parent := range f.parents(target) {
		f.collect(parent, attribute, prefix, places, depth+1)
	}
	content, _, _ := block.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: attribute}}})
	a := content.Attributes[attribute]
	if a == nil {
		return
	}
	pairs, _ := hcl.ExprMap(a.Expr)
	for _, pair := range pairs {
		if key, diags := pair.Key.Value(nil); !diags.HasErrors() && key.Type().FriendlyName() == "string" && key.IsKnown() && !key.IsNull() {
			places[prefix+key.AsString()] = f.place(pair.Value.Range())
		}
	}
}

// textMap maps the text of an expression: a heredoc line by line, anything else as a whole.
func (f *file) textMap(r hcl.Range, text []byte) definition.Map {
	start, end := r.Start.Byte, min(r.End.Byte, len(f.src))
	source := string(f.src[start:end])
	if strings.HasPrefix(source, "<<") {
		if i := strings.IndexByte(source, '\n'); i >= 0 {
			return definition.LineMap(f.name, f.src, start+i+1, end, text)
		}
	}
	return definition.Map{{End: len(text), Place: f.place(r)}}
}
