package blackbox_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
)

func TestWhatDoesNotRunDoesNotPass(t *testing.T) {
	tests := []struct {
		name    string
		feature string
		tags    string
		want    string
	}{
		{"an empty file", "", "", `service.feature:1:1: error: the file has no feature: begin it with "Feature:" and a title (BB1002)`},
		{"only a comment", "# soon\n", "", `service.feature:1:1: error: the file has no feature: begin it with "Feature:" and a title (BB1002)`},
		{"no scenario", "Feature: Empty\n", "", `service.feature:1:1: error: feature "Empty" has no scenario (BB1002)`},
		{
			"a misspelled keyword", "Feature: F\n\n  About it.\n\n  Scenarrio: S\n    Then the image has an entrypoint\n", "",
			`service.feature:5:3: error: "Scenarrio:" is no keyword, so this line and those below it would be a description: did you mean "Scenario:"? (BB1003)`,
		},
		{
			"a misspelled keyword between good ones", "Feature: F\n  Bakground:\n    Given the image under test\n  Scenario: S\n    Then the image has an entrypoint\n", "",
			`service.feature:2:3: error: "Bakground:" is no keyword, so this line and those below it would be a description: did you mean "Background:"? (BB1003)`,
		},
		{
			"a keyword without its colon", "Feature: F\n  Scenario one\n    Then the image has an entrypoint\n  Scenario: two\n    Then the image has an entrypoint\n", "",
			`service.feature:2:3: error: a keyword without its colon, so this line and those below it would be a description: write "Scenario:" (BB1003)`,
		},
		{
			"a misspelled keyword after a step", "Feature: F\n  Scenario: S\n    Then the image has an entrypoint\n  Scenarrio: T\n", "",
			`service.feature:4:3: error: "Scenarrio: T" is no line of a feature here: expected a step (Given, When, Then, And, But), a table row, "Scenario:", "Examples:" or a tag (BB1001)`,
		},
		{
			"a misspelled feature", "Featur: F\n  Scenario: S\n    Then the image has an entrypoint\n", "",
			`service.feature:1:1: error: "Featur: F" stands where the feature begins: expected "Feature:" and a title (BB1001)`,
		},
		{"a scenario without steps", "Feature: F\n  Scenario: S\n", "", `service.feature:2:3: error: scenario "S" has no steps (BB1004)`},
		{"an outline without examples", "Feature: F\n  Scenario Outline: S\n    Then the image has an entrypoint\n", "", `service.feature:2:3: error: scenario outline "S" has no examples (BB1004)`},
		{"examples without rows", "Feature: F\n  Scenario Outline: S\n    Then the file \"<f>\" exists\n    Examples:\n      | f |\n", "", `service.feature:4:5: error: the examples of "S" have no rows (BB1004)`},
		{
			"a column that is not there", "Feature: F\n  Scenario Outline: S\n    Then the file \"<fil>\" exists\n    Examples:\n      | file |\n      | /a |\n", "",
			`service.feature:3:5: error: the examples at line 4 have no column "fil": they have "file" (BB1005)`,
		},
		{"a ragged table", "Feature: F\n  Scenario: S\n    Given the environment\n      | A | 1 |\n      | B |\n", "", `service.feature:5:7: error: inconsistent cell count within the table (BB1001)`},
		{
			"tags that select nothing", "Feature: F\n  @slow\n  Scenario: S\n    Then the image has an entrypoint\n", "@smoke",
			`service.feature:1:1: error: no scenario was selected: 1 were looked at with the tag expression "@smoke" in "service.feature" (BB1002)`,
		},
		{
			"a mistyped step", "Feature: F\n  Scenario: S\n    Then the fil \"/etc/passwd\" exists\n", "",
			"service.feature:3:5: error: S (linux/amd64): the fil \"/etc/passwd\" exists: no step reads like this; did you mean\n" +
				"  the file \"/etc/passwd\" exists\nthe first word that differs is \"fil\" (BB2001)",
		},
		{
			"a step without its table", "Feature: F\n  Scenario: S\n    Given the environment\n", "",
			"service.feature:3:5: error: S (linux/amd64): the environment: the step needs a table below it, for example:\n  | GREETING | hello | (BB3001)",
		},
		{
			"a step with a table too many", "Feature: F\n  Scenario: S\n    Then the image has an entrypoint\n      | a |\n", "",
			"service.feature:3:5: error: S (linux/amd64): the image has an entrypoint: there is a table below the step, but it takes none (BB3001)",
		},
		{
			"a wrong table", "Feature: F\n  Scenario: S\n    Given the environment\n      | A | 1 | 2 |\n", "",
			"service.feature:3:5: error: S (linux/amd64): the environment: row 1 of the table has 3 cells: expected two, a name and a value (BB3001)",
		},
		{
			"a parameter without a value", "Feature: F\n  Scenario: S\n    Then the file \"${where}/a\" exists\n", "",
			"service.feature:3:5: error: S (linux/amd64): the file \"${where}/a\" exists: no value was given for the parameter ${where}: there are \"database\", \"empty\", \"image\" (BB3001)",
		},
		{
			"a number that nothing holds", "Feature: F\n  Scenario: S\n    Then the image has at most 99999999999999999999 layers\n", "",
			"service.feature:3:5: error: S (linux/amd64): the image has at most 99999999999999999999 layers: a number that is too big: strconv.Atoi: parsing \"99999999999999999999\": value out of range (BB3001)",
		},
		{
			"an image that is not there", "Feature: F\n  Scenario: S\n    Given the image \"registry.example/other:2\"\n", "",
			"service.feature:3:5: error: S (linux/amd64): the image \"registry.example/other:2\": image \"registry.example/other:2\": no such image (BB3001)",
		},
		{
			"no instance", "Feature: F\n  Scenario: S\n    Then the instance is running\n", "",
			"service.feature:3:5: error: S (linux/amd64): the instance is running: no instance was started: begin with the step \"an instance is started\" (BB3001)",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := suite(t, tt.feature)
			s.Options.Tags = tt.tags
			v := run(t, s)
			if v.Result() != blackbox.ResultFailed || v.Err() == nil {
				t.Errorf("result %s, error %v; want a failure", v.Result(), v.Err())
			}
			if diff := cmp.Diff(tt.want, explain(v)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestABrokenFeatureDoesNotKeepOthersFromRunning(t *testing.T) {
	s := suite(t, "Feature: F\n  Scenario: S\n    Then the image has an entrypoint\n")
	s.Features.(fstest.MapFS)["broken.feature"] = &fstest.MapFile{Data: []byte("Feature: B\n  Scenarrio: S\n")}
	v := run(t, s)
	if got := v.Counts()[blackbox.Passed]; got != 1 {
		t.Errorf("%d scenarios passed, want 1: %s", got, explain(v))
	}
	if len(v.Problems) != 1 || v.Problems[0].Place.File != "broken.feature" {
		t.Errorf("problems %v, want one of broken.feature", v.Problems)
	}
}

func TestAmbiguousStepsNameBoth(t *testing.T) {
	s := suite(t, "Feature: F\n  Scenario: S\n    Then the file \"/etc/motd\" exists\n")
	s.Options.Steps = []blackbox.Step{{
		Expression: "the {word} {string} exists",
		Func:       func(context.Context, *blackbox.Scenario, blackbox.Args) error { return nil },
	}}
	got := explain(run(t, s))
	want := `service.feature:3:5: error: S (linux/amd64): the file "/etc/motd" exists: 2 steps match this text: "the file {string} exists", "the {word} {string} exists": reword one of them (BB2002)`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestASuiteThatCantBeRunIsAnError(t *testing.T) {
	good := suite(t, "Feature: F\n  Scenario: S\n    Then the image has an entrypoint\n")
	tests := []struct {
		name   string
		change func(*blackbox.Suite)
		want   string
	}{
		{"no features", func(s *blackbox.Suite) { s.Features = nil }, "the suite has no Features"},
		{"no feature files", func(s *blackbox.Suite) { s.Features = fstest.MapFS{"README.md": {}} }, `there is no .feature file in "."`},
		{"no such path", func(s *blackbox.Suite) { s.Paths = []string{"gone"} }, "open gone: file does not exist"},
		{"no image", func(s *blackbox.Suite) { s.Image = nil }, "a suite has either an Image or an Index"},
		{"another platform", func(s *blackbox.Suite) { s.Options.Platforms = []string{"linux/arm64"} }, `the image is for linux/amd64, not for "linux/arm64"`},
		{"a broken tag expression", func(s *blackbox.Suite) { s.Options.Tags = "@a and" }, `tag expression "@a and": it is not complete`},
		{"a step that is none", func(s *blackbox.Suite) { s.Options.Steps = []blackbox.Step{{Expression: "x"}} }, `step "x": Expression and Func are required`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := good
			tt.change(&s)
			v, err := s.Run(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if v == nil || v.Result() == blackbox.ResultPassed {
				t.Errorf("verdict %+v passes", v)
			}
		})
	}
}
