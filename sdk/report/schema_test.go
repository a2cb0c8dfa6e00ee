package report_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/report"
)

func compile(t testing.TB, schema string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sarifSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, string(text))
}

func validate(t testing.TB, s *jsonschema.Schema, text string) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestOutputIsValid(t *testing.T) {
	noSource := full()
	noSource.Source = nil
	reports := map[string]report.Report{"full": full(), "without source": noSource, "empty": {}}
	for name, r := range reports {
		t.Run("sarif "+name, func(t *testing.T) { validate(t, sarifSchema(t), write(t, report.SARIF{}, r)) })
		t.Run("json "+name, func(t *testing.T) { validate(t, compile(t, string(report.Schema())), write(t, report.JSON{}, r)) })
	}
}

// The published schema lets unknown fields pass, so that old readers accept new reports. This closes it and adds
// required to every property: what the code writes and what the schema names must then be the same.
func TestSchemaNamesEveryField(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(report.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	closed := func(object any) { object.(map[string]any)["additionalProperties"] = false }
	closed(schema)
	for name, def := range schema["$defs"].(map[string]any) {
		if name != "severity" {
			closed(def)
		}
	}
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	r := full()
	r.Failure = &report.Failure{Place: finding.Place{File: "Dockerfile", Start: finding.Position{Line: 1, Column: 1}}, Message: "it could not go on"}
	r.Findings[0].Secret = true
	out := write(t, report.JSON{}, r)
	validate(t, compile(t, string(text)), out)

	written := map[string]bool{}
	var doc any
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	collect(doc, written)
	for name := range properties(schema) {
		if !written[name] {
			t.Errorf("the schema names %q, which a report with every field does not have", name)
		}
	}
}

// collect adds the keys of all objects in v.
func collect(v any, keys map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			keys[key] = true
			collect(value, keys)
		}
	case []any:
		for _, value := range v {
			collect(value, keys)
		}
	}
}

// properties returns the names of all properties in a schema.
func properties(schema map[string]any) map[string]bool {
	names := map[string]bool{}
	add := func(object any) {
		props, _ := object.(map[string]any)["properties"].(map[string]any)
		for name := range props {
			names[name] = true
		}
	}
	add(schema)
	for _, def := range schema["$defs"].(map[string]any) {
		add(def)
	}
	return names
}

func TestJSONReadsBackAsFindings(t *testing.T) {
	var doc struct{ Findings []finding.Finding }
	if err := json.Unmarshal([]byte(write(t, report.JSON{}, full())), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Findings) != len(full().Findings) {
		t.Fatalf("got %d findings, want %d", len(doc.Findings), len(full().Findings))
	}
}
