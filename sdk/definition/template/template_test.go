package template_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/template"
)

const text = `FROM golang:{{go}} AS build
RUN go build -o /app ./{{package}} && strip /app
FROM {{base}}
LABEL title="{{title}}" team={{team}}
COPY --from=build --chown={{user}} /app /app
RUN <<EOF
echo {{word}}
EOF
EXPOSE {{port}}
ENV DEBUG={{debug}} N={{n}}
ENTRYPOINT ["/app", "--port={{port}}"]
`

func templates(t testing.TB) []catalog.Template {
	t.Helper()
	one := "1"
	some := func(name string, kind catalog.ParameterType) catalog.Parameter {
		return catalog.Parameter{Name: name, Type: kind, Default: &one}
	}
	image, yes := "registry.example/base:1", "true"
	return []catalog.Template{{
		Name: "go-service", Version: "2", Dockerfile: "FROM scratch\n", Owner: "ops@example.com",
	}, {
		Name: "go-service", Version: "3", Dockerfile: text, Owner: "ops@example.com", Parameters: []catalog.Parameter{
			some("go", catalog.ParameterVersion), some("package", catalog.ParameterPath),
			{Name: "base", Type: catalog.ParameterImage, Default: &image},
			some("title", catalog.ParameterText), some("team", catalog.ParameterText), some("user", ""), some("word", ""),
			some("port", catalog.ParameterPort),
			{Name: "debug", Type: catalog.ParameterBoolean, Default: &yes},
			some("n", catalog.ParameterInteger),
		},
	}}
}

func compile(t testing.TB, content string) ([]definition.Target, error) {
	t.Helper()
	c := template.Compiler{Templates: templates(t)}
	return c.Compile(t.Context(), definition.Project{Files: fstest.MapFS{}, Name: "plimsoll.yaml", Dir: ".", Content: []byte(content)})
}

func TestErrors(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"unknown template":   {"template: rust@1\n", `plimsoll.yaml:1:11: there is no template "rust@1"; there is go-service@2, go-service@3`},
		"unknown version":    {"template: go-service@4\n", `plimsoll.yaml:1:11: template go-service has no version "4"; there is 2, 3`},
		"no version":         {"template: go-service\n", "plimsoll.yaml:1:11: template go-service needs a version; there is 2, 3"},
		"unknown parameter":  {"template: go-service@3\nparameters:\n  prot: 80\n", `plimsoll.yaml:3:3: template go-service@3 has no parameter "prot"; it has go, package`},
		"bad value":          {"template: go-service@3\nparameters:\n  port: 80800\n", "plimsoll.yaml:3:9: parameter port: 80800 is not a port"},
		"unknown key":        {"template: go-service@3\nparams: {}\n", `plimsoll.yaml:2:1: unknown key "params"; it knows template, parameters`},
		"list":               {"template: go-service@3\nparameters:\n  port: [80]\n", "plimsoll.yaml:3:9: parameter port should be one value"},
		"no value":           {"template: go-service@3\nparameters:\n  port:\n", "parameter port should be one value"},
		"climbing context":   {"template: go-service@3\ncontext: ../x\n", "plimsoll.yaml:2:10: context should be a directory below this one"},
		"twice":              {"template: go-service@3\nparameters: {port: 80, port: 81}\n", "plimsoll.yaml"},
		"text becomes words": {"template: go-service@3\nparameters:\n  team: a b=c\n", "plimsoll.yaml:3:9: parameter team: its value would change the template's instructions"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compile(t, test.content)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %s", err, test.want)
			}
		})
	}
	required := catalog.Template{Name: "x", Version: "1", Dockerfile: "FROM {{base}}\n", Parameters: []catalog.Parameter{{Name: "base", Description: "what to stand on"}}}
	_, err := template.Compiler{Templates: []catalog.Template{required}}.Compile(t.Context(), definition.Project{Name: "p.yaml", Content: []byte("template: x@1")})
	if err == nil || !strings.Contains(err.Error(), "p.yaml:1:11: template x@1 needs the parameter base (what to stand on)") {
		t.Errorf("error is %v", err)
	}
}

// FuzzParameter: whatever a parameter's value is, the Dockerfile has the template's instructions, or there is an error at
// the value.
func FuzzParameter(f *testing.F) {
	for _, seed := range []string{
		"a\nRUN evil", "a; evil", "--from=evil", "a b", "a\\", "a\" evil", "$(evil)", "<<EOF", "a\r\nb", "é ü", "EOF", "x\u2028RUN y", "a=b c=d", "1.26-rc.1", "./cmd/x", "a\u0085b",
	} {
		f.Add("title", seed)
		f.Add("word", seed)
		f.Add("package", seed)
	}
	want, err := compile(f, "template: go-service@3\n")
	if err != nil {
		f.Fatal(err)
	}
	shape := instructions(f, want[0].Text)
	f.Fuzz(func(t *testing.T, name, value string) {
		content, err := yaml.Dump(map[string]any{"template": "go-service@3", "parameters": map[string]string{name: value}})
		if err != nil {
			return
		}
		targets, err := compile(t, string(content))
		if err != nil {
			if _, ok := errors.AsType[*definition.SyntaxError](err); !ok {
				t.Errorf("error without a place: %v", err)
			}
			return
		}
		if got := instructions(t, targets[0].Text); got != shape {
			t.Errorf("%s %q makes\n%s\nof\n%s", name, value, got, shape)
		}
		if strings.Count(string(targets[0].Text), "\n") != strings.Count(text, "\n") {
			t.Errorf("%s %q changes the lines", name, value)
		}
	})
}

func instructions(t testing.TB, src []byte) string {
	t.Helper()
	file, err := definition.Parse("Dockerfile", src)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	var b strings.Builder
	for _, in := range file.Instructions {
		b.WriteString(in.Name)
		for _, flag := range in.Flags {
			b.WriteString(" --" + flag.Name)
		}
		b.WriteString(strings.Repeat(" word", len(in.Args)) + strings.Repeat(" heredoc", len(in.Heredocs)) + "\n")
	}
	return b.String()
}
