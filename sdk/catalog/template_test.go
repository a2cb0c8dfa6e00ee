package catalog_test

import (
	"cmp"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

const withTemplate = `version: 1
owner: ops@example.com
templates:
  - name: go-service
    version: "3"
    parameters:
      - name: package
        type: path
      - name: port
        type: port
        default: "8080"
    dockerfile: |
      FROM golang:1.26 AS build
      RUN go build -o /app ./{{ package }}
      FROM debian:12
      COPY --from=build /app /app
      EXPOSE {{port}}
`

func TestTemplates(t *testing.T) {
	cat, err := catalog.Load("catalog.yaml", []byte(withTemplate))
	if err != nil {
		t.Fatal(err)
	}
	all := cat.Templates()
	if len(all) != 1 || all[0].Ref() != "go-service@3" || all[0].Owner != "ops@example.com" {
		t.Fatalf("templates are %+v", all)
	}
	var text strings.Builder
	names := map[string]int{}
	for _, p := range all[0].Pieces() {
		text.WriteString(p.Text)
		if p.Parameter != "" {
			names[p.Parameter] = p.Line
		}
	}
	if text.String() != all[0].Dockerfile || names["package"] != 2 || names["port"] != 5 {
		t.Errorf("pieces are %+v", all[0].Pieces())
	}
}

func TestBrokenTemplates(t *testing.T) {
	for name, test := range map[string]struct{ old, new, want string }{
		"unknown placeholder": {"{{port}}", "{{prot}}", "line 5 of the template has {{prot}}, which is no parameter"},
		"unused parameter":    {"{{port}}", "80", `parameter "port" is not in the template's text`},
		"unknown type":        {"type: path", "type: pathe", `catalog.yaml:8:15: type "pathe" is none of`},
		"bad default":         {`"8080"`, `"80800"`, "catalog.yaml:11:18: default: 80800 is not a port"},
		"twice":               {"name: port", "name: package", `parameter "package" is there twice`},
		"no version":          {"    version: \"3\"\n", "", "a template has no version"},
		"bad pattern":         {"type: path", "pattern: '('", "catalog.yaml:8:18: pattern: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := catalog.Load("catalog.yaml", []byte(strings.Replace(withTemplate, test.old, test.new, 1)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %s", err, test.want)
			}
		})
	}
}

// TestParametersCannotInject tries to get out of the place that a parameter has in a Dockerfile, for every type.
func TestParametersCannotInject(t *testing.T) {
	attacks := []string{
		"", "a\nRUN evil", "a\r\nRUN evil", "a\rRUN evil", "a\u2028RUN evil", "a\u0085RUN evil", "a\vRUN", "a\x00b", "\xff", "a\\", "a`",
		`a"`, "a'", `a" && evil`, "a;evil", "a&evil", "a|evil", "a$(evil)", "$EVIL", "${EVIL}", "a`evil`", "a>b", "a<b", "<<EOF", "a#b",
		"--from=evil", "-v", "--mount=type=secret", "a --from=evil", "a  b", " a", "a ", "[\"sh\"]", "{{port}}", "a*", "a?", "~root", "!x", "%PATH%", "\tx",
		"../../etc", "/etc/passwd", "a/../../b", "..", "a\u202eb", strings.Repeat("a", 10_000), "ａ", "a\u200bb",
	}
	fine := map[catalog.ParameterType][]string{
		catalog.ParameterString: {"/etc/passwd", "../../etc", "a/../../b", ".."},                       // a string is no path
		catalog.ParameterText:   {"/etc/passwd", "../../etc", "a/../../b", "..", "ａ", "a --from=evil"}, // its words are counted after it is put in
	}
	for _, kind := range []catalog.ParameterType{
		"", catalog.ParameterString, catalog.ParameterText, catalog.ParameterInteger, catalog.ParameterBoolean,
		catalog.ParameterVersion, catalog.ParameterPath, catalog.ParameterPort, catalog.ParameterImage,
	} {
		for _, attack := range attacks {
			allowed := false
			for _, value := range fine[cmp.Or(kind, catalog.ParameterString)] {
				allowed = allowed || value == attack
			}
			err := catalog.Parameter{Name: "x", Type: kind}.Check(attack)
			if (err == nil) != allowed {
				t.Errorf("%q takes %q: %v", kind, attack, err)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n\r\x00\u202e") {
				t.Errorf("%q: the error about %q has what can't be printed: %q", kind, attack, err)
			}
		}
	}
}
