package convert_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/convert"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// gossOptions have what the template in testdata needs.
var gossOptions = convert.GossOptions{Vars: map[string]any{"packages": map[string]any{"tzdata": "2025b-0+deb12u1"}}}

func convertFile(t testing.TB, file string, data []byte) (*convert.Converted, error) {
	t.Helper()
	if strings.HasPrefix(file, "goss") {
		return convert.Goss(file, data, gossOptions)
	}
	return convert.StructureTest(file, data)
}

func TestFiles(t *testing.T) {
	for _, file := range []string{"structure.yaml", "goss.yaml"} {
		t.Run(file, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			c, err := convertFile(t, file, data)
			if err != nil {
				t.Fatal(err)
			}
			got := string(c.Feature) + "\n# Left:\n"
			for _, left := range c.Left {
				got += "# " + left.String() + "\n"
			}
			golden := filepath.Join("testdata", strings.TrimSuffix(file, ".yaml")+".feature")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			findings, err := blackbox.Check(fstest.MapFS{"c.feature": {Data: c.Feature}}, nil, blackbox.Options{Params: map[string]string{"TOKEN": "x"}})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings {
				t.Error(f)
			}
		})
	}
}

func TestBadFiles(t *testing.T) {
	tests := []struct{ name, file, data, want string }{
		{"no YAML", "structure.yaml", "\tx", "structure.yaml: "},
		{"nothing", "structure.yaml", "", "structure.yaml: the file is empty"},
		{"a list", "structure.yaml", "- x", "structure.yaml:1: expected a mapping"},
		{"another schema", "structure.yaml", "schemaVersion: 3.0.0", `structure.yaml:1: schemaVersion "3.0.0": expected 1.0.0 or 2.0.0`},
		{"a broken template", "goss.yaml", "{{ if }}", "template: goss.yaml:1: missing value for if"},
		{"a variable that is not given", "goss.yaml", "file: {{ .Vars.gone }}", "template: goss.yaml:1:14: "},
		{"a template that reads files", "goss.yaml", `x: {{ readFile "/etc/passwd" }}`, "template: goss.yaml:1:6: "},
		{"a template that reads the environment", "goss.yaml", `x: {{ env "HOME" }}`, `template: goss.yaml:1: function "env" not defined`},
	}
	for _, tt := range tests {
		if c, err := convertFile(t, tt.file, []byte(tt.data)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %+v, %v; want an error that begins with %q", tt.name, c, err, tt.want)
		}
	}
	for _, data := range []string{"file: 1", "file: [a]", "file: {/a: 1}", "command: {a: {exit-status: {gt: 1}}}", "http: {a: b}", "port: {x: {listening: true}}", "a: &a {b: *a}"} {
		if _, err := convert.Goss("goss.yaml", []byte(data), gossOptions); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func ExampleStructureTest() {
	converted, err := convert.StructureTest("image.yaml", []byte(`schemaVersion: 2.0.0
fileExistenceTests:
  - name: the program
    path: /app/service
    isExecutableBy: any
licenseTests:
  - debian: true
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", converted.Feature)
	for _, left := range converted.Left {
		fmt.Println(left)
	}
	// Output:
	// # Made from image.yaml, a file of container-structure-test.
	// Feature: What image.yaml says about the image
	//
	//   Scenario: File existence: the program
	//     Then the path "/app/service" exists
	//     And the file "/app/service" is executable for anybody
	//
	// image.yaml:7: license test: the list of licenses that it allows is Google's
}

// FuzzStructureTest: whatever text stands in a file, what comes out is a feature whose steps are all known, and whose
// text is the same.
func FuzzStructureTest(f *testing.F) {
	for _, text := range []string{"a", `it's "so"`, `\d`, `\`, "a\nb", "${x}", " x ", "|", `\|`, "<a>", "#", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		data := fmt.Sprintf("schemaVersion: 2.0.0\nfileContentTests: [{name: %[1]q, path: %[1]q, expectedContents: [%[1]q]}]\ncommandTests: [{name: %[1]q, command: %[1]q, args: [%[1]q]}]\n", text)
		c, err := convert.StructureTest("f.yaml", []byte(data))
		if err != nil || len(c.Feature) == 0 {
			return
		}
		findings, err := blackbox.Check(fstest.MapFS{"c.feature": {Data: c.Feature}}, nil, blackbox.Options{})
		if err != nil {
			t.Fatalf("%v\n%s", err, c.Feature)
		}
		for _, finding := range findings {
			t.Errorf("%s\n%s", finding, c.Feature)
		}
	})
}
