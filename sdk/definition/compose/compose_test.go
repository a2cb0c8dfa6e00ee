package compose_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/compose"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

func load(t *testing.T, text string, targets ...string) ([]*definition.Definition, error) {
	t.Helper()
	files := fstest.MapFS{
		"deploy/compose.yaml":   {Data: []byte(text)},
		"deploy/.env":           {Data: []byte("V=12\nEMPTY=\n")},
		"deploy/Dockerfile":     {Data: []byte("FROM debian:12\n")},
		"app/Dockerfile":        {Data: []byte("ARG V\nFROM debian:${V}\n")},
		"other.yaml":            {Data: []byte("services: {x: {build: .}}\n")},
		"lib/a":                 {Data: []byte("a")},
		"app/special/Odd.build": {Data: []byte("FROM alpine:3\n")},
	}
	opts := source.Options{Compilers: []definition.Compiler{compose.Compiler{}}, Dockerfile: "deploy/compose.yaml", Targets: targets}
	return source.LoadAllFS(t.Context(), files, definition.Source{Repository: "https://git.example/app"}, opts)
}

func TestCompile(t *testing.T) {
	defs, err := load(t, `
version: "3"
x-build: &build
  context: ../app
  labels: {team: pay}
services:
  api:
    build:
      <<: *build
      args: {V: "${V}", W: "${W:-x}", LATER: }
      additional_contexts:
        lib: ../lib
        golang: docker-image://golang:1.26
      secrets: [token]
      ssh: [default]
      platforms: [linux/amd64, linux/arm64]
      target: run
    env_file: /etc/shadow
    volumes: ["/:/host"]
  worker:
    extends: api
    build:
      dockerfile: special/Odd.build
      args: [V=13]
  short:
    build: ../app
  db:
    image: postgres
secrets:
  token: {file: /etc/shadow}
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(defs) != 3 {
		t.Fatalf("%d definitions", len(defs))
	}
	d := defs[0]
	want := definition.Build{
		Target: "api", Place: d.Build.Place, Stage: "run", Args: map[string]string{"V": "12", "W": "x"}, Labels: map[string]string{"team": "pay"},
		Platforms: []string{"linux/amd64", "linux/arm64"}, Contexts: map[string]string{"lib": "local:lib", "golang": "docker-image://golang:1.26"},
		Secrets: []string{"token"}, SSH: []string{"default"}, Places: d.Build.Places,
	}
	if diff := cmp.Diff(want, d.Build); diff != "" {
		t.Errorf("build (-want +got):\n%s", diff)
	}
	if d.Build.Place.String() != "deploy/compose.yaml:7:3" || d.Build.Places["arg:V"].String() != "deploy/compose.yaml:10:17" {
		t.Errorf("places are %v and %v", d.Build.Place, d.Build.Places["arg:V"])
	}
	worker := defs[1]
	if worker.Build.Args["V"] != "13" || worker.Build.Args["W"] != "x" || worker.File.Name != "app/special/Odd.build" || worker.Build.Stage != "run" {
		t.Errorf("worker is %+v of %s", worker.Build, worker.File.Name)
	}
	if defs[2].File.Name != "app/Dockerfile" {
		t.Errorf("short is %s", defs[2].File.Name)
	}
}

func TestRefused(t *testing.T) {
	t.Setenv("SECRET_OF_THE_MACHINE", "hunter2")
	t.Setenv("V", "hunter2")
	for name, test := range map[string]struct{ text, want string }{
		"environment":       {"services:\n  a:\n    build:\n      args:\n        X: ${SECRET_OF_THE_MACHINE}\n", "deploy/compose.yaml:5:12: the variable SECRET_OF_THE_MACHINE has no value"},
		"include":           {"include: [other.yaml]\nservices: {a: {build: .}}", ":1:1: include is not supported"},
		"other file":        {"services:\n  a:\n    extends: {file: ../other.yaml, service: x}\n", ":3:15: extends of another file"},
		"absolute":          {"services: {a: {build: /etc}}", `context "/etc" is not a directory of the repository`},
		"climbing":          {"services: {a: {build: ../..}}", "leads out of the repository"},
		"home":              {"services: {a: {build: ~/x}}", "is not a directory of the repository"},
		"remote":            {"services: {a: {build: 'https://u:pw@example.com/x.git'}}", `"https://example.com/x.git" is not`},
		"git":               {"services: {a: {build: 'git@github.com:a/b.git'}}", "is not a directory of the repository"},
		"remote dockerfile": {"services: {a: {build: {dockerfile: 'https://example.com/D'}}}", "is not in the repository"},
		"other service":     {"services: {a: {build: {context: ., additional_contexts: {x: 'service:b'}}}, b: {build: .}}", "is another service"},
		"reserved argument": {"services: {a: {build: {context: ., args: {BUILDKIT_SYNTAX: evil}}}}", "the argument BUILDKIT_SYNTAX is reserved"},
		"no build":          {"services: {a: {image: x}}", "no service has a build section"},
		"no services":       {"services: 3", "services is not a mapping"},
		"not YAML":          {"services: [", "not YAML"},
		"unknown key":       {"services: {a: {build: {contxt: .}}}", "deploy/compose.yaml:1:12: "},
		"extends itself":    {"services: {a: {extends: b}, b: {extends: a}}", "ircular"},
		"bomb":              {"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\nservices: {a: {build: {context: ., x-y: *f}}}", ""},
		"deep":              {"services: " + strings.Repeat("[", 100_000), "it nests deeper than 100 levels"},
		"NUL":               {"services:\x00", "it is not UTF-8 text"},
		"two documents":     {"services: {a: {build: .}}\n---\nservices: {}\n", "not YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			defs, err := load(t, test.text)
			switch {
			case test.want == "":
				return // whatever it says, it says it soon
			case err == nil:
				t.Errorf("%d definitions, no error; %v", len(defs), defs[0].Build)
			case !strings.Contains(err.Error(), test.want):
				t.Errorf("error is %q, want %q", err, test.want)
			case strings.Contains(err.Error(), "hunter2"), strings.Contains(err.Error(), "pw@"):
				t.Errorf("error tells what it should not: %q", err)
			}
		})
	}
}

func TestInline(t *testing.T) {
	_, err := load(t, "services:\n  a:\n    build:\n      dockerfile_inline: |\n        FROM debian:12\n        FORM x\n")
	if err == nil || !strings.Contains(err.Error(), "deploy/compose.yaml:6:9: ") {
		t.Errorf("error is %v", err)
	}
}

// FuzzCompile: no file makes it panic, take long or look outside, and errors have a place in the file.
func FuzzCompile(f *testing.F) {
	f.Add("services:\n  a:\n    build:\n      context: app\n      args: {V: '${V:-1}'}\n  b:\n    extends: a\n")
	f.Add("x: &x {context: .}\nservices:\n  a: {build: {<<: *x, dockerfile_inline: \"FROM a\\nRUN b\"}}\n")
	f.Add("services: {a: {build: {ssh: [default], secrets: [x], platforms: [linux/amd64], additional_contexts: [a=b]}}}")
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		project := definition.Project{Files: fstest.MapFS{}, Name: "compose.yaml", Dir: ".", Content: []byte(text)}
		targets, err := compose.Compiler{}.Compile(t.Context(), project)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
		if syntax, ok := errors.AsType[*definition.SyntaxError](err); err != nil && (!ok || syntax.Place.File != "compose.yaml") {
			t.Errorf("error without a place: %v", err)
		}
		for _, target := range targets {
			if strings.HasPrefix(target.Context, "/") || target.Context == ".." || strings.HasPrefix(target.Context, "../") {
				t.Errorf("context %q", target.Context)
			}
		}
	})
}
