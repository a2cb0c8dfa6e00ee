package compose

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/internal/inside"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// target makes what a build needs of one service.
func (f *file) target(service string, b *types.BuildConfig) (*definition.Target, error) {
	name, section := f.build(service, "")
	t := &definition.Target{Name: service, Place: f.Place(name), Build: definition.Build{
		Stage: b.Target, Args: map[string]string{}, Labels: map[string]string{}, Platforms: slices.Clone([]string(b.Platforms)),
		Places: map[string]finding.Place{},
	}}
	at := func(key string) *yaml.Node {
		if _, v := f.build(service, key); v != nil {
			return v
		}
		return section
	}
	for key, value := range b.Args {
		if value == nil { // the environment's, of which only the .env file counts
			if set, ok := f.env[key]; ok {
				value = &set
			}
		}
		if value != nil {
			t.Build.Args[key] = *value
		}
	}
	maps.Copy(t.Build.Labels, b.Labels)
	for _, s := range b.Secrets {
		t.Build.Secrets = append(t.Build.Secrets, s.Source)
	}
	for _, s := range b.SSH {
		t.Build.SSH = append(t.Build.SSH, s.ID)
	}
	var err error
	if t.Context, err = f.inside(at("context"), "context", b.Context); err != nil {
		return nil, err
	}
	switch _, inline := f.build(service, "dockerfile_inline"); {
	case b.DockerfileInline != "":
		t.Dockerfile, t.Text = f.Name, []byte(b.DockerfileInline)
		t.Map = definition.Map{{End: len(t.Text), Place: t.Place}}
		if inline != nil {
			t.Map = f.TextMap(inline, t.Text)
		}
	case b.Dockerfile == "":
		t.Dockerfile = path.Join(t.Context, "Dockerfile")
	case inside.Foreign(b.Dockerfile):
		return nil, f.Errorf(at("dockerfile"), "dockerfile %q is not in the repository", b.Dockerfile)
	default:
		t.Dockerfile = path.Join(t.Context, b.Dockerfile)
	}
	for key, value := range b.AdditionalContexts {
		if !strings.HasPrefix(value, "docker-image://") {
			if value, err = f.inside(at("additional_contexts"), "context "+key, value); err != nil {
				return nil, err
			}
			value = "local:" + value
		}
		if t.Build.Contexts == nil {
			t.Build.Contexts = map[string]string{}
		}
		t.Build.Contexts[key] = value
	}
	f.keys(service, "args", "arg:", t.Build.Places)
	f.keys(service, "additional_contexts", "context:", t.Build.Places)
	return t, nil
}

// inside is a directory of the repository.
func (f *file) inside(at *yaml.Node, what, value string) (string, error) {
	if strings.HasPrefix(value, "service:") {
		return "", f.Errorf(at, "%s %q is another service, which is not supported: make it a stage of one Dockerfile", what, value)
	}
	if inside.Foreign(value) {
		return "", f.Errorf(at, "%s %q is not a directory of the repository", what, inside.Redact(value))
	}
	dir, out := inside.Join(f.dir, value)
	if out {
		return "", f.Errorf(at, "%s %q leads out of the repository", what, value)
	}
	return dir, nil
}
