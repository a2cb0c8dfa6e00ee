// Package compose compiles the build sections of Compose files with Compose's own library: one target for each service
// that has one, with extends, anchors and interpolation as they are there.
//
//	defs, err := source.LoadAll(ctx, repository, ref, source.Options{Compilers: []definition.Compiler{compose.Compiler{}}})
//
// What a build would take from the machine it runs on is different: nothing is. A variable has the value that the .env
// file beside it has in the repository, or its default; one with neither is an error. Includes and extends of other files,
// remote contexts and paths that lead out of the repository are errors; secrets and SSH keys are names, and where their
// values come from is not looked at. Of a service only build and extends are read.
package compose

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/internal/yamlfile"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Compiler compiles Compose files.
type Compiler struct{}

// Names returns the file names of Compose.
func (Compiler) Names() []string {
	return []string{"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"}
}

// Matches says whether a file is one: YAML with services.
func (Compiler) Matches(name string, content []byte) bool {
	ext := path.Ext(name)
	return (ext == ".yaml" || ext == ".yml") && (yamlfile.Has(content, "services") || yamlfile.Has(content, "include"))
}

// Compile implements [definition.Compiler]. Relative paths start from the file's directory.
func (Compiler) Compile(ctx context.Context, p definition.Project) ([]definition.Target, error) {
	f, err := parse(p)
	if err != nil {
		return nil, err
	}
	project, err := f.load(ctx)
	if err != nil {
		return nil, err
	}
	var targets []definition.Target
	for _, name := range f.order {
		service, ok := project.Services[name]
		if !ok || service.Build == nil || !wanted(p.Targets, name) {
			continue
		}
		t, err := f.target(name, service.Build)
		if err != nil {
			return nil, err
		}
		targets = append(targets, *t)
	}
	for _, pattern := range p.Targets {
		if !slices.ContainsFunc(targets, func(t definition.Target) bool { return matches(pattern, t.Name) }) {
			return nil, f.Errorf(nil, "there is no service %q with a build section", pattern)
		}
	}
	if len(targets) == 0 {
		return nil, f.Errorf(nil, "no service has a build section")
	}
	return targets, nil
}

func wanted(patterns []string, name string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, name) })
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// file is a Compose file.
type file struct {
	*yamlfile.File
	dir   string
	order []string
	env   map[string]string // from .env
}

func parse(p definition.Project) (*file, error) {
	read, err := yamlfile.Parse(p.Name, p.Content)
	if err != nil {
		return nil, err
	}
	f := &file{File: read, dir: path.Dir(p.Name), env: map[string]string{}}
	if k, _ := yamlfile.Get(f.Root, "include"); k != nil {
		return nil, f.Errorf(k, "include is not supported: name the file with the build sections instead")
	}
	_, services := yamlfile.Get(f.Root, "services")
	if services == nil || services.Kind != yaml.MappingNode {
		return nil, f.Errorf(services, "services is not a mapping of services")
	}
	for i := 0; i+1 < len(services.Content); i += 2 {
		f.order = append(f.order, services.Content[i].Value)
		if _, extends := yamlfile.Get(services.Content[i+1], "extends"); extends != nil {
			if k, _ := yamlfile.Get(extends, "file"); k != nil {
				return nil, f.Errorf(k, "extends of another file is not supported: extend a service of this file")
			}
		}
	}
	name := path.Join(f.dir, ".env")
	content, err := fs.ReadFile(p.Files, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(content) > yamlfile.MaxBytes:
		return nil, fmt.Errorf("%s: it has %d bytes; %d are allowed", name, len(content), yamlfile.MaxBytes)
	}
	nothing := func(string) (string, bool) { return "", false }
	if f.env, err = dotenv.ParseWithLookup(bytes.NewReader(content), nothing); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// load has Compose's library make a project of what the file says about builds.
func (f *file) load(ctx context.Context) (project *types.Project, err error) {
	defer func() {
		if r := recover(); r != nil { // a document that the library did not think of
			project, err = nil, f.Errorf(nil, "it can't be read as a Compose file: %v", r)
		}
	}()
	var all struct {
		Services map[string]map[string]any `yaml:"services"`
	}
	if err := yaml.Load(f.Src, &all); err != nil {
		return nil, f.Errorf(nil, "%w", err)
	}
	services := map[string]any{}
	for name, service := range all.Services {
		only := map[string]any{}
		for _, key := range []string{"build", "extends"} {
			if value, ok := service[key]; ok {
				only[key] = value
			}
		}
		services[name] = only
	}
	details := types.ConfigDetails{
		WorkingDir: ".", Environment: f.env,
		ConfigFiles: []types.ConfigFile{{Filename: f.Name, Config: map[string]any{"services": services}}},
	}
	project, err = loader.LoadWithContext(ctx, details, func(o *loader.Options) {
		o.SetProjectName("project", true)
		o.SkipInclude, o.SkipConsistencyCheck, o.SkipResolveEnvironment, o.SkipResolveLabels = true, true, true, true
		o.SkipNormalization, o.ResolvePaths, o.ResourceLoaders = true, false, nil
		o.Profiles = []string{"*"}
		o.Interpolate = &interpolation.Options{LookupValue: f.lookup, TypeCastMapping: o.Interpolate.TypeCastMapping, Substitute: f.substitute}
	})
	if err != nil {
		return nil, f.located(err)
	}
	return project, nil
}

func (f *file) lookup(name string) (string, bool) {
	value, ok := f.env[name]
	return value, ok
}

// plain are the variables without a default; "$$" is a dollar.
var plain = regexp.MustCompile(`\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})`)

// unsetError is a variable that has no value.
type unsetError struct{ name, text string }

func (e *unsetError) Error() string {
	return fmt.Sprintf("the variable %s has no value: give a default, ${%s:-value}, or set it in a .env file in the repository; variables of the machine are not read", e.name, e.name)
}

func (f *file) substitute(text string, lookup template.Mapping) (string, error) {
	for _, m := range plain.FindAllStringSubmatch(text, -1) {
		if name := cmp.Or(m[1], m[2]); name != "" {
			if _, ok := lookup(name); !ok {
				return "", &unsetError{name, text}
			}
		}
	}
	return template.SubstituteWithOptions(text, lookup, template.WithoutLogging)
}

// located gives an error of the library the place of the text that it is about.
func (f *file) located(err error) error {
	if unset, ok := errors.AsType[*unsetError](err); ok {
		if n := find(f.Root, func(n *yaml.Node) bool { return n.Value == unset.text }); n != nil {
			return f.Errorf(n, "%w", unset)
		}
		return f.Errorf(nil, "%w", unset)
	}
	text := strings.TrimPrefix(err.Error(), "validating "+f.Name+": ")
	for i, name := range f.order {
		if strings.Contains(text, "services."+name+".") || strings.Contains(text, "services."+name+" ") || strings.Contains(text, `"`+name+`"`) {
			_, services := yamlfile.Get(f.Root, "services")
			return f.Errorf(services.Content[2*i], "%s", text)
		}
	}
	return f.Errorf(nil, "%s", text)
}

func find(n *yaml.Node, is func(*yaml.Node) bool) *yaml.Node {
	if n.Kind == yaml.ScalarNode && is(n) {
		return n
	}
	for _, c := range n.Content {
		if found := find(c, is); found != nil {
			return found
		}
	}
	return nil
}

// build returns a key of a service's build section, its own or that of a service that it extends.
func (f *file) build(service, key string) (k, v *yaml.Node) {
	_, services := yamlfile.Get(f.Root, "services")
	for range len(f.order) + 1 {
		name, s := yamlfile.Get(services, service)
		if s == nil {
			return nil, nil
		}
		_, build := yamlfile.Get(s, "build")
		if key == "" && build != nil {
			return name, build
		}
		if k, v := yamlfile.Get(build, key); k != nil {
			return k, v
		}
		_, extends := yamlfile.Get(s, "extends")
		if extends == nil {
			return nil, nil
		}
		service = extends.Value
		if _, named := yamlfile.Get(extends, "service"); named != nil {
			service = named.Value
		}
	}
	return nil, nil
}

// keys notes where the values of a mapping, or of a list of NAME=VALUE, are given.
func (f *file) keys(service, key, prefix string, places map[string]finding.Place) {
	_, v := f.build(service, key)
	if v == nil {
		return
	}
	for i, n := range v.Content {
		switch {
		case v.Kind == yaml.SequenceNode:
			name, _, _ := strings.Cut(n.Value, "=")
			places[prefix+name] = f.Place(n)
		case i%2 == 1:
			places[prefix+v.Content[i-1].Value] = f.Place(yamlfile.Real(n))
		}
	}
}
