package blackbox_test

import (
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
)

func TestFolders(t *testing.T) {
	folders := blackbox.Folders{
		"features":     fstest.MapFS{"app.feature": {Data: []byte("own")}, "deep/down.feature": {}},
		"required/ops": fstest.MapFS{"app.feature": {Data: []byte("required")}},
	}
	if err := fstest.TestFS(folders["features"], "app.feature", "deep/down.feature"); err != nil {
		t.Error(err)
	}
	var found []string
	err := fs.WalkDir(folders, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if want := []string{"features/app.feature", "features/deep/down.feature", "required/ops/app.feature"}; err != nil || !slices.Equal(found, want) {
		t.Errorf("found %q, want %q (%v)", found, want, err)
	}
	if text, err := fs.ReadFile(folders, "required/ops/app.feature"); err != nil || string(text) != "required" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := folders.Open("feature"); err == nil {
		t.Error("a folder that is not there was opened")
	}
}

// What Ops requires is judged beside what developers wrote, and each failure says in which folder it stands.
func TestSuiteOfFolders(t *testing.T) {
	s := suite(t, "")
	s.Runtime = nil
	s.Features = blackbox.Folders{
		"features": fstest.MapFS{"a.feature": {Data: []byte("Feature: A\n  Scenario: A\n    Then the file \"/etc/passwd\" exists\n")}},
		"required": fstest.MapFS{"a.feature": {Data: []byte("Feature: B\n  Scenario: B\n    Then the file \"/nowhere\" exists\n")}},
	}
	v := run(t, s)
	findings := v.Findings()
	if len(findings) != 1 || findings[0].Place.File != "required/a.feature" {
		t.Errorf("findings: %s", explain(v))
	}
	if got := len(v.Platforms[0].Scenarios); got != 2 {
		t.Errorf("%d scenarios ran, want 2", got)
	}
}
