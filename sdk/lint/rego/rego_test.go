package rego_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rego"
)

const dockerfile = `# a comment
FROM golang:1.26 AS build
ADD https://example.com/x /x
RUN ["go", "build"]
FROM alpine:latest
ONBUILD RUN echo hi
COPY --from=build --chown=1 /x /x
`

func run(t *testing.T, policy string, opts rego.Options) []string {
	t.Helper()
	rules, err := rego.Load(t.Context(), fstest.MapFS{"p/a.rego": {Data: []byte(policy)}, "p/a_test.rego": {Data: []byte("not rego")}}, opts)
	if err != nil {
		t.Fatal(err)
	}
	file, err := definition.Parse("app/Dockerfile", []byte(dockerfile))
	if err != nil {
		t.Fatal(err)
	}
	found, err := lint.Run(file, rules, lint.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range found {
		if f.URL != "" {
			t.Errorf("%s has a page at %s", f.Rule, f.URL)
		}
		lines = append(lines, f.Place.String()+" "+f.Severity.String()+" "+f.Message)
	}
	return lines
}

func TestPolicies(t *testing.T) {
	for name, test := range map[string]struct {
		policy string
		want   []string
	}{
		"v0": {
			"package main\ndeny[msg] { input[i].Cmd == \"from\"; endswith(input[i].Value[0], \":latest\"); msg = \"no latest\" }",
			[]string{"app/Dockerfile:5:1 error no latest"},
		},
		"v0 with keywords": {
			"package main\nimport future.keywords\nwarn_add contains msg if { some c in input; c.Cmd == \"add\"; msg := sprintf(\"ADD %s\", [c.Value[0]]) }",
			[]string{"app/Dockerfile:3:1 warning ADD https://example.com/x"},
		},
		"v1, object with id": {
			"package main\nviolation contains {\"msg\": \"exec form\", \"id\": \"C-1\"} if { some c in input; c.Cmd == \"run\"; c.JSON }",
			[]string{"app/Dockerfile:4:1 error C-1: exec form"},
		},
		"line given": {
			"package main\ndeny contains {\"msg\": \"here\", \"line\": 7} if { count(input) > 0 }",
			[]string{"app/Dockerfile:7:1 error here"},
		},
		"what is missing has no line": {
			"package main\ndeny contains \"no USER\" if { not has_user }\nhas_user if { input[_].Cmd == \"user\" }",
			[]string{"app/Dockerfile error no USER"},
		},
		"input shape": {
			"package main\ndeny contains json.marshal(input) if { true }",
			[]string{`app/Dockerfile:6:1 error [{"Cmd":"comment","Flags":null,"JSON":false,"Stage":0,"SubCmd":"","Value":["a comment"]},` +
				`{"Cmd":"from","Flags":[],"JSON":false,"Stage":0,"SubCmd":"","Value":["golang:1.26","AS","build"]},` +
				`{"Cmd":"add","Flags":[],"JSON":false,"Stage":0,"SubCmd":"","Value":["https://example.com/x","/x"]},` +
				`{"Cmd":"run","Flags":[],"JSON":true,"Stage":0,"SubCmd":"","Value":["go","build"]},` +
				`{"Cmd":"from","Flags":[],"JSON":false,"Stage":1,"SubCmd":"","Value":["alpine:latest"]},` +
				`{"Cmd":"onbuild","Flags":[],"JSON":false,"Stage":1,"SubCmd":"RUN","Value":["echo hi"]},` +
				`{"Cmd":"copy","Flags":["--from=build","--chown=1"],"JSON":false,"Stage":1,"SubCmd":"","Value":["/x","/x"]}]`},
		},
		"file": {
			"package main\ndeny contains concat(\" \", [data.conftest.file.name, data.conftest.file.dir]) if { true }",
			[]string{"app/Dockerfile error Dockerfile app"},
		},
		"exception": {
			"package main\ndeny_a contains \"a\" if { true }\ndeny_b contains \"b\" if { true }\nexception contains rules if { rules := [\"a\"] }",
			[]string{"app/Dockerfile error b"},
		},
		"two packages": {
			"package main\ndeny contains \"a\" if { true }\nallow if { false }",
			[]string{"app/Dockerfile error a"},
		},
		"fails": {
			"package main\ndeny contains msg if { msg := to_number(input[1].Cmd) }",
			[]string{"app/Dockerfile error the policy main.deny can't be evaluated: p/a.rego:2: eval_builtin_error: to_number: strconv.ParseFloat: parsing \"from\": invalid syntax"},
		},
		"no set": {
			"package main\ndeny := 3",
			[]string{"app/Dockerfile error the policy main.deny can't be evaluated: it yields no set of texts or objects; write `deny contains msg if {...}`"},
		},
		"object without text": {
			"package main\nwarn contains {\"message\": \"x\"} if { true }",
			[]string{"app/Dockerfile warning the policy main.warn can't be evaluated: it yields an object without msg, a text"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, run(t, test.policy, rego.Options{})); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPolicyFolder has policies in the shapes of conftest's own examples: a package for each file, lists at the top, helpers
// in a library, v0 beside v1.
func TestPolicyFolder(t *testing.T) {
	rules, err := rego.Load(t.Context(), fstest.MapFS{
		"images.rego": {Data: []byte(`package main
import rego.v1
refused := ["golang", "node"]
deny contains msg if {
	some i
	input[i].Cmd == "from"
	val := input[i].Value
	contains(val[_], refused[_])
	msg = sprintf("image %s", [val[0]])
}
`)},
		"commands/run.rego": {Data: []byte(`package commands
import data.lib.docker
tools = ["go"]
violation[{"msg": msg, "details": {"tool": tool}}] {
	words := docker.words("run")[_]
	tool := tools[_]
	words[_] == tool
	msg := sprintf("%s is run", [tool])
}
`)},
		"lib/docker.rego": {Data: []byte(`package lib.docker
words(name) = all { all := [v | input[i].Cmd == name; v := input[i].Value] }
`)},
	}, rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	file, err := definition.Parse("Dockerfile", []byte(dockerfile))
	if err != nil {
		t.Fatal(err)
	}
	found, err := lint.Run(file, rules, lint.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, f.Place.String()+" "+f.Message)
	}
	want := []string{"Dockerfile:2:1 image golang:1.26", "Dockerfile:4:1 go is run"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// FuzzInput: whatever parses can be judged by policies that look at all of it, and findings stand in the file.
func FuzzInput(f *testing.F) {
	f.Add([]byte(dockerfile))
	f.Add([]byte("FROM a\nONBUILD COPY --from=b [\"x\", \"y\"]\nRUN <<EOF\nx\nEOF\n"))
	rules, err := rego.Load(f.Context(), fstest.MapFS{"a.rego": {Data: []byte("package main\ndeny contains msg if { some c in input; some v in c.Value; msg := concat(\" \", [c.Cmd, c.SubCmd, v]) }")}}, rego.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, err := definition.Parse("Dockerfile", src)
		if err != nil || len(file.Instructions) > 100 {
			return
		}
		found, err := lint.Run(file, rules, lint.Config{})
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range found {
			if finding.Place.End.Offset > len(src) || strings.Contains(finding.Message, "can't be evaluated") {
				t.Errorf("%s", finding)
			}
		}
	})
}

// A policy that takes for ever ends, and allows nothing.
func TestTimeout(t *testing.T) {
	const policy = "package main\ndeny contains \"x\" if { some a in numbers.range(1, 100000); some b in numbers.range(1, 100000); a + b == -1 }"
	start := time.Now()
	got := run(t, policy, rego.Options{Timeout: 100 * time.Millisecond})
	if len(got) != 1 || !strings.Contains(got[0], "error the policy main.deny can't be evaluated: it took longer than 100ms") {
		t.Errorf("findings are %q", got)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestLoadErrors(t *testing.T) {
	for name, test := range map[string]struct{ policy, want string }{
		"network":     {"package main\ndeny contains x if { x := http.send({\"method\": \"get\", \"url\": \"http://example.com\"}) }", "a.rego:2: rego_type_error: undefined function http.send"},
		"lookup":      {"package main\ndeny contains x if { x := net.lookup_ip_addr(\"example.com\") }", "undefined function net.lookup_ip_addr"},
		"environment": {"package main\ndeny contains x if { x := opa.runtime().env.HOME }", "undefined function opa.runtime"},
		"clock":       {"package main\ndeny contains x if { x := time.now_ns() }", "undefined function time.now_ns"},
		"syntax":      {"package main\ndeny contains x if {", "a.rego:"},
		"no rule":     {"package main\nallow if { true }", "no rule named deny, violation or warn"},
		"same id": {
			"package main\n# METADATA\n# custom:\n#   id: PL0001\ndeny contains \"a\" if { true }\n\n# METADATA\n# custom:\n#   id: PL0001\nwarn contains \"b\" if { true }",
			"data.main.deny and data.main.warn have the same id PL0001",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rego.Load(t.Context(), fstest.MapFS{"a.rego": {Data: []byte(test.policy)}}, rego.Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %s", err, test.want)
			}
		})
	}
	if _, err := rego.Load(t.Context(), fstest.MapFS{}, rego.Options{}); !errors.Is(err, rego.ErrNoRules) {
		t.Errorf("error is %v", err)
	}
}

func TestMetadata(t *testing.T) {
	const policy = "package main\n\n# METADATA\n# title: no latest\n# description: Latest is no version.\n# custom:\n#   id: PL2001\ndeny_latest contains \"x\" if { input[_].Value[0] == \"alpine:latest\" }\n\nwarn contains \"y\" if { true }\n"
	rules, err := rego.Load(t.Context(), fstest.MapFS{"a.rego": {Data: []byte(policy)}}, rego.Options{Namespaces: []string{"main"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) != 2 || rules[0].ID != "PL2001" || rules[0].Title != "no latest" || rules[0].Severity != finding.Error ||
		rules[0].Name != "rego-main-deny-latest" || rules[1].Severity != finding.Warning {
		t.Errorf("rules are %+v", rules)
	}
	if _, err := rego.Load(t.Context(), fstest.MapFS{"a.rego": {Data: []byte(policy)}}, rego.Options{Namespaces: []string{"other"}}); !errors.Is(err, rego.ErrNoRules) {
		t.Errorf("error is %v", err)
	}
}
