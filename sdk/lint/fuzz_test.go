package lint_test

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
)

// seeds returns the Dockerfiles of all archives.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	names, err := filepath.Glob("rules/testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if f.Name == "Dockerfile" {
				all = append(all, f.Data)
			}
		}
	}
	if len(all) == 0 {
		t.Fatal("no archives under rules/testdata")
	}
	return all
}

// FuzzRun checks that whatever parses can be linted and fixed: places lie in the file, fixes keep it parsable and come to
// an end.
func FuzzRun(f *testing.F) {
	for _, src := range seeds(f) {
		f.Add(src)
	}
	all := rules.All()
	f.Fuzz(func(t *testing.T, src []byte) {
		file, err := definition.Parse("Dockerfile", src)
		if err != nil {
			return
		}
		findings, err := lint.Run(file, all, lint.Config{At: now})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			start, end := f.Place.Start, f.Place.End
			if start.Line < 1 || start.Offset > end.Offset || end.Offset > len(src) {
				t.Errorf("%s: place from %+v to %+v in %d bytes", f, start, end, len(src))
			}
		}
		fixed, _, err := lint.Fix(file, all, lint.Config{At: now})
		if err != nil {
			t.Fatalf("%v in\n%s", err, src)
		}
		if again, _, err := lint.Fix(fixed, all, lint.Config{At: now}); err != nil || string(again.Src) != string(fixed.Src) {
			t.Errorf("fixing twice (%v):\n%s\nis not fixing once:\n%s", err, again.Src, fixed.Src)
		}
	})
}
