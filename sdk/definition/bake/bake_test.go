package bake_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/bake"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

func load(t *testing.T, name, text string, targets ...string) ([]*definition.Definition, error) {
	t.Helper()
	files := fstest.MapFS{
		name:             {Data: []byte(text)},
		"Dockerfile":     {Data: []byte("FROM debian:12\n")},
		"app/Dockerfile": {Data: []byte("ARG V\nFROM debian:${V}\n")},
		"app/main.go":    {Data: []byte("package main\n")},
		"lib/a":          {Data: []byte("a")},
	}
	opts := source.Options{Compilers: []definition.Compiler{bake.Compiler{}}, Dockerfile: name, Targets: targets}
	return source.LoadAllFS(t.Context(), files, definition.Source{Repository: "https://git.example/app"}, opts)
}

func TestCompile(t *testing.T) {
	defs, err := load(t, "docker-bake.hcl", `
variable "V" { default = "12" }
group "default" { targets = ["app"] }
target "_common" {
  labels    = { team = "pay" }
  platforms = ["linux/amd64"]
}
target "app" {
  name     = "app-${replace(v, ".", "-")}"
  matrix   = { v = ["12.1", "12.2"] }
  inherits = ["_common"]
  context  = "app"
  args     = { V = v, NONE = null }
  contexts = { lib = "lib", golang = "docker-image://golang:1.26" }
  secret   = ["id=token,src=/etc/shadow", "type=env,id=key,env=HOME"]
  ssh      = ["default=/home/ada/.ssh/id_rsa"]
  target   = "run"
  tags     = ["evil.example/app:latest"]
  output   = ["type=registry"]
}
target "other" { dockerfile = "app/Dockerfile" }
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(defs) != 2 {
		t.Fatalf("%d definitions", len(defs))
	}
	d := defs[0]
	want := definition.Build{
		Target: "app-12-1", Place: d.Build.Place, Stage: "run", Args: map[string]string{"V": "12.1"}, Labels: map[string]string{"team": "pay"},
		Platforms: []string{"linux/amd64"}, Contexts: map[string]string{"lib": "local:lib", "golang": "docker-image://golang:1.26"},
		Secrets: []string{"key", "token"}, SSH: []string{"default"}, Places: d.Build.Places,
	}
	if diff := cmp.Diff(want, d.Build); diff != "" {
		t.Errorf("build (-want +got):\n%s", diff)
	}
	if d.Build.Place.String() != "docker-bake.hcl:8:1" || d.Build.Places["arg:V"].String() != "docker-bake.hcl:13:20" {
		t.Errorf("places are %v and %v", d.Build.Place, d.Build.Places)
	}
	if d.Contexts["lib"] == nil || d.File.Name != "app/Dockerfile" || d.Source.Directory != "app" {
		t.Errorf("context, file and directory are %v, %s, %s", d.Contexts, d.File.Name, d.Source.Directory)
	}
}

func TestTargets(t *testing.T) {
	const text = `
group "default" { targets = ["a"] }
group "all" { targets = ["a", "b"] }
target "a" {}
target "b" {}
`
	for name, test := range map[string]struct {
		targets []string
		want    string
	}{
		"default": {nil, "a"},
		"group":   {[]string{"all"}, "a b"},
		"pattern": {[]string{"b*"}, "b"},
		"unknown": {[]string{"c"}, `docker-bake.hcl: there is no target or group "c"; there is all, default, a, b`},
	} {
		t.Run(name, func(t *testing.T) {
			defs, err := load(t, "docker-bake.hcl", text, test.targets...)
			var names []string
			for _, d := range defs {
				names = append(names, d.Build.Target)
			}
			if got := strings.Join(names, " "); err == nil && got != test.want || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
	if _, err := source.LoadFS(t.Context(), fstest.MapFS{"docker-bake.hcl": {Data: []byte(`target "a" {}` + "\n" + `target "b" {}`)}, "Dockerfile": {Data: []byte("FROM a")}},
		definition.Source{}, source.Options{Compilers: []definition.Compiler{bake.Compiler{}}, Dockerfile: "docker-bake.hcl"}); err == nil ||
		!strings.Contains(err.Error(), "docker-bake.hcl describes several images: a, b") {
		t.Errorf("error is %v", err)
	}
}

// Nothing of the machine gets in, nothing outside of the repository is reached, and what can't be done is said with its
// place.
func TestRefused(t *testing.T) {
	t.Setenv("SECRET_OF_THE_MACHINE", "hunter2")
	t.Setenv("V", "hunter2")
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ text, want string }{
		"home":              {`target "a" { args = { H = homedir() } }`, ":1:27: the function homedir is not allowed"},
		"clock":             {`target "a" { args = { H = timestamp() } }`, "the function timestamp is not allowed"},
		"chance":            {`target "a" { args = { H = "${uuidv4()}" } }`, "the function uuidv4 is not allowed"},
		"in a function":     {"function \"f\" {\n params = []\n result = homedir()\n}\ntarget \"a\" { args = { H = f() } }", ":3:11: the function homedir"},
		"wide text":         {`target "a" { args = { H = format("%999999999s", "x") } }`, ":1:34: format makes texts wider than 1000 characters"},
		"precise text":      {`target "a" { args = { H = format("%.99999999f", 1) } }`, "format makes texts wider"},
		"width by argument": {`target "a" { args = { H = format("%*d", 999999999, 1) } }`, "format makes texts wider"},
		"huge width":        {`target "a" { args = { H = formatlist("%99999999999999999999s", ["x"]) } }`, "formatlist makes texts wider"},
		"computed width":    {"variable \"F\" { default = \"%9s\" }\ntarget \"a\" { args = { H = format(F, \"x\") } }", "not a text that is written out"},
		"indentation":       {`target "a" { args = { H = indent(999999999, "a\nb") } }`, "the first argument of indent is not a number up to 1000"},
		"undeclared":        {`target "a" { args = { H = SECRET_OF_THE_MACHINE } }`, "Unknown variable"},
		"absolute context":  {`target "a" { context = "/etc" }`, `:1:24: context "/etc" is not a directory of the repository`},
		"climbing context":  {`target "a" { context = "../x" }`, "leads out of the repository"},
		"climbing by app":   {`target "a" { context = "app/../../x" }`, "leads out of the repository"},
		"home context":      {`target "a" { context = "~/x" }`, "is not a directory of the repository"},
		"remote context":    {`target "a" { context = "https://user:pw@example.com/x.git" }`, `context "https://example.com/x.git" is not`},
		"git context":       {`target "a" { context = "git@example.com:x.git" }`, "is not a directory of the repository"},
		"github context":    {`target "a" { context = "github.com/a/b" }`, "no such directory"},
		"cwd":               {`target "a" { context = "cwd://app" }`, "is not a directory of the repository"},
		"stdin":             {`target "a" { context = "-" }`, "is not a directory of the repository"},
		"remote dockerfile": {`target "a" { dockerfile = "https://example.com/Dockerfile" }`, "dockerfile \"https://example.com/Dockerfile\" is not in the repository"},
		"outer dockerfile":  {`target "a" { dockerfile = "../Dockerfile" }`, "leads out of the repository"},
		"no dockerfile":     {`target "a" { dockerfile = "X" }`, "docker-bake.hcl:1:1: target a: no Dockerfile at X"},
		"named, outside":    {`target "a" { contexts = { x = "../.." } }`, "leads out of the repository"},
		"named, remote":     {`target "a" { contexts = { x = "https://example.com/x" } }`, "is not a directory of the repository"},
		"named, layout":     {`target "a" { contexts = { x = "oci-layout:///x" } }`, "is not a directory of the repository"},
		"other target":      {"target \"a\" { contexts = { x = \"target:b\" } }\ntarget \"b\" {}", "is another target"},
		"reserved argument": {`target "a" { args = { BUILDKIT_SYNTAX = "evil" } }`, ":1:41: the argument BUILDKIT_SYNTAX is reserved"},
		"twice":             {"target \"a\" {}\ntarget \"a\" {}", `:2:1: target "a" is described twice`},
		"loop":              {"target \"a\" { inherits = [\"b\"] }\ntarget \"b\" { inherits = [\"a\"] }", ""},
		"unknown attribute": {`target "a" { contxt = "x" }`, "docker-bake.hcl:1:14: "},
		"not HCL":           {"target {{{", "docker-bake.hcl:1:"},
		"endless function":  {"function \"f\" {\n params = [x]\n result = f(x)\n}\ntarget \"a\" { args = { H = f(1) } }", "docker-bake.hcl"},
		"deep":              {`target "a" { args = { H = ` + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000) + ` } }`, "it nests deeper than 100 levels"},
		"deep operators":    {`target "a" { args = { H = ` + strings.Repeat("!", 100_000) + `true } }`, "it nests deeper than 100 levels"},
		"many":              {"target \"a\" {\n name = \"a${x}\"\n matrix = { x = range(0, 1000) }\n}", "it describes 1000 targets; 500 are allowed"},
		"large":             {strings.Repeat("# comment\n", 100_000), "bytes; 262144 are allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			defs, err := load(t, "docker-bake.hcl", test.text)
			switch {
			case test.want == "":
				return // whatever it says, it says it
			case err == nil:
				t.Errorf("%d definitions, no error; %v", len(defs), defs[0].Build)
			case !strings.Contains(err.Error(), test.want):
				t.Errorf("error is %q, want %q", err, test.want)
			case strings.Contains(err.Error(), "hunter2"), strings.Contains(err.Error(), "pw@"), strings.Contains(err.Error(), home+"/"):
				t.Errorf("error tells what it should not: %q", err)
			}
		})
	}
}

func TestVariablesAreNotTheMachines(t *testing.T) {
	t.Setenv("V", "hunter2")
	defs, err := load(t, "docker-bake.json", `{"variable": {"V": {"default": "12"}}, "target": {"a": {"context": "app", "args": {"V": "${V}"}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := defs[0].Build.Args["V"]; got != "12" {
		t.Errorf("V is %q", got)
	}
	if _, err := load(t, "docker-bake.json", `{"target": {"a": {"args": {"H": "x${homedir()}"}}}}`); err == nil || !strings.Contains(err.Error(), "homedir is not allowed") {
		t.Errorf("error is %v", err)
	}
	if _, err := load(t, "docker-bake.json", `{"target": {"a": {"args": {"H": "${format(\"%99999s\", \"x\")}"}}}}`); err == nil || !strings.Contains(err.Error(), "format makes texts wider") {
		t.Errorf("error is %v", err)
	}
	defs, err = load(t, "docker-bake.hcl", `target "a" { args = { H = format("%5s %% %-3d|%[1]s", "x", 2), I = indent(2, "a\nb") } }`)
	if err != nil || defs[0].Build.Args["H"] != "    x % 2  |x" {
		t.Errorf("%v", err)
	}
	set := bake.Compiler{Variables: map[string]string{"V": "13"}}
	project := definition.Project{Files: fstest.MapFS{}, Name: "docker-bake.hcl", Dir: ".", Content: []byte("variable \"V\" {}\ntarget \"a\" { args = { V = V } }")}
	targets, err := set.Compile(t.Context(), project)
	if err != nil || targets[0].Build.Args["V"] != "13" {
		t.Errorf("targets are %v, %v", targets, err)
	}
	set.Variables["W"] = "x"
	if _, err := set.Compile(t.Context(), project); err == nil || !strings.Contains(err.Error(), `no variable "W"`) {
		t.Errorf("error is %v", err)
	}
}

// Errors and places of an inline Dockerfile are those of the bake file.
func TestInline(t *testing.T) {
	const text = "target \"a\" {\n  dockerfile-inline = <<-EOT\n    FROM debian:12\n    FORM x\n  EOT\n}\n"
	_, err := load(t, "docker-bake.hcl", text)
	syntax, ok := errors.AsType[*definition.SyntaxError](err)
	if !ok || !strings.HasPrefix(syntax.Error(), "docker-bake.hcl:4:5: ") {
		t.Errorf("error is %v", err)
	}
	defs, err := load(t, "docker-bake.hcl", strings.Replace(text, "FORM x", "RUN true", 1))
	if err != nil {
		t.Fatal(err)
	}
	d := defs[0]
	edited, ok := d.WrittenEdits([]finding.Edit{{File: d.File.Name, Start: d.File.Stages[0].Base.Start.Offset, End: d.File.Stages[0].Base.End.Offset, New: "debian:13"}})
	if !ok {
		t.Fatal("the edit can't be made")
	}
	after, err := definition.Apply([]byte(strings.Replace(text, "FORM x", "RUN true", 1)), edited)
	if err != nil || !strings.Contains(string(after), "    FROM debian:13\n    RUN true") {
		t.Errorf("after the edit: %v\n%s", err, after)
	}
	patch := d.Diff([]byte(strings.Replace(string(d.File.Src), "debian:12", "debian:13", 1)))
	if !strings.Contains(patch, "+++ b/docker-bake.hcl") || !strings.Contains(patch, "+    FROM debian:13") {
		t.Errorf("the patch is\n%s", patch)
	}
}

// FuzzCompile: no file makes it panic, take long or look outside, and errors have a place in the file.
func FuzzCompile(f *testing.F) {
	f.Add(`variable "V" { default = "12" }` + "\n" + `target "a" { args = { V = "${V}" } ` + "\n" + ` matrix = { x = ["1", "2"] } ` + "\n" + ` name = "a${x}" }`)
	f.Add("target \"a\" {\n dockerfile-inline = <<EOT\nFROM a\nRUN b\nEOT\n}\ngroup \"default\" { targets = [\"a\"] }")
	f.Add("function \"f\" {\n params = [x]\n result = upper(x)\n}\ntarget \"a\" { inherits = [\"b\"] }\ntarget \"b\" { labels = { a = f(\"x\") } }")
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		project := definition.Project{Files: fstest.MapFS{}, Name: "docker-bake.hcl", Dir: ".", Content: []byte(text)}
		targets, err := bake.Compiler{}.Compile(t.Context(), project)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
		if syntax, ok := errors.AsType[*definition.SyntaxError](err); err != nil && (!ok || syntax.Place.File != "docker-bake.hcl") {
			t.Errorf("error without a place: %v", err)
		}
		for _, target := range targets {
			if strings.HasPrefix(target.Context, "/") || target.Context == ".." || strings.HasPrefix(target.Context, "../") {
				t.Errorf("context %q", target.Context)
			}
		}
	})
}

// TestOverrideFile refuses a file that bake would read over the definition, unless the definition was named otherwise.
func TestOverrideFile(t *testing.T) {
	files := fstest.MapFS{
		"docker-bake.hcl":          {Data: []byte(`target "default" {}`)},
		"other.hcl":                {Data: []byte(`target "default" {}`)},
		"docker-bake.override.hcl": {Data: []byte(`target "default" { args = { X = "y" } }`)},
	}
	for name, want := range map[string]string{
		"docker-bake.hcl": "docker-bake.override.hcl: override files are not supported: say it in docker-bake.hcl, or name the file to build from",
		"other.hcl":       "",
	} {
		_, err := bake.Compiler{}.Compile(t.Context(), definition.Project{Files: files, Name: name, Dir: ".", Content: files[name].Data})
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
