package convert

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// GossOptions are what a gossfile that is a template takes its values from.
type GossOptions struct {
	Vars map[string]any    // .Vars, as in a vars file
	Env  map[string]string // .Env and getEnv; nothing of the real environment is seen
}

// Goss converts a gossfile (https://github.com/goss-org/goss). File is its name in messages. A template is rendered
// first, with the functions that goss has, but none that reads a file, the environment, the time or a random number.
// What a gossfile includes is converted by itself.
func Goss(file string, data []byte, options GossOptions) (*Converted, error) {
	if bytes.Contains(data, []byte("{{")) {
		rendered, err := render(file, data, options)
		if err != nil {
			return nil, err
		}
		data = rendered
	}
	root, err := parse(file, data)
	if errors.Is(err, errEmpty) {
		return &Converted{}, nil // a gossfile that is there to be filled
	}
	if err != nil {
		return nil, err
	}
	g := &goss{newWriter(file)}
	for _, key := range root.keys {
		resources := newObject(root.take(key))
		convert, known := g.kinds()[key]
		for _, name := range resources.keys {
			r := newObject(resources.take(name))
			r.line = resources.lineOf(name)
			switch {
			case !known:
				g.leave(r.line, key+" "+name, unknownKind(key))
			case r.isTrue("skip", false):
				g.leave(r.line, key+" "+name, "it is switched off by skip")
			default:
				r.take("skip")
				r.take("meta")
				convert(name, r)
				g.rest(key+" "+name, r)
			}
		}
	}
	return g.done("What "+file+" says about the image", "goss"), nil
}

type goss struct{ *writer }

func (g *goss) kinds() map[string]func(name string, r *object) {
	return map[string]func(string, *object){
		"file": g.file, "package": g.pkg, "user": g.user, "group": g.group,
		"port": g.port, "process": g.process, "command": g.command, "http": g.http, "addr": g.addr,
	}
}

// title begins the scenario of a resource, by its own title if it has one.
func (g *goss) title(name string, r *object) {
	if t := r.text("title"); t != "" {
		name = t
	}
	g.scenario(name)
}

// unknownKind says why resources of a kind can't be converted.
func unknownKind(kind string) string {
	switch kind {
	case "dns":
		return "an instance in the sandbox has no name server to ask"
	case "service":
		return "an instance has no init system; test its processes and ports"
	case "mount", "interface", "kernel-param":
		return "it is about the machine around the image, not about the image"
	case "gossfile":
		return "convert the file that it includes by itself"
	case "matching":
		return "it compares values of the gossfile itself, not of the image"
	default:
		return "goss has no such resource"
	}
}

// rest leaves the attributes that no step is known for.
func (g *goss) rest(what string, r *object) {
	for _, key := range r.rest() {
		if key != "title" {
			g.leave(r.lineOf(key), what+": "+key, "no step says this")
		}
	}
}

func render(file string, data []byte, options GossOptions) ([]byte, error) {
	none := errors.New("not available here: run \"goss render\" and convert what it prints")
	functions := template.FuncMap{
		"mkSlice":    func(args ...any) []any { return args },
		"regexMatch": regexp.MatchString,
		"toUpper":    strings.ToUpper,
		"toLower":    strings.ToLower,
		"readFile":   func(string) (string, error) { return "", none },
		"getEnv": func(name string, fallback ...string) string {
			if v := options.Env[name]; v != "" || len(fallback) == 0 {
				return v
			}
			return fallback[0]
		},
		"findStringSubmatch": submatch,
	}
	t, err := template.New(file).Funcs(sprig.HermeticTxtFuncMap()).Funcs(functions).Option("missingkey=error").Parse(string(data))
	if err != nil {
		return nil, fmt.Errorf("%w: run \"goss render\" and convert what it prints", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, struct {
		Vars map[string]any
		Env  map[string]string
	}{options.Vars, options.Env}); err != nil {
		return nil, fmt.Errorf("%w: give the variables that it needs", err)
	}
	return b.Bytes(), nil
}

// submatch returns the groups of a match by name, or by number when none has a name.
func submatch(pattern, input string) (map[string]any, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	numbered, named := map[string]any{}, map[string]any{}
	for i, s := range re.FindStringSubmatch(input) {
		numbered[fmt.Sprint(i)] = s
		if name := re.SubexpNames()[i]; name != "" {
			named[name] = s
		}
	}
	if len(named) > 0 {
		return named, nil
	}
	return numbered, nil
}
