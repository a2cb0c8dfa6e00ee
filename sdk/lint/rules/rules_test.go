package rules_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/linttest"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
)

var update = flag.Bool("update", false, "write want and fixed into the archives")

func TestRules(t *testing.T) {
	linttest.Run(t, "testdata", rules.All(), linttest.Options{Update: *update})
}

func TestIndexIsCurrent(t *testing.T) {
	got, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lint.Index(rules.All()), string(got)); diff != "" {
		t.Errorf("README.md is old; run go generate (-want +got):\n%s", diff)
	}
}

func TestEveryPageHasARule(t *testing.T) {
	ids := map[string]bool{}
	last := ""
	for _, r := range rules.All() {
		ids[r.ID] = true
		if r.ID <= last {
			t.Errorf("All: %s comes after %s; keep the ids in order", r.ID, last)
		}
		last = r.ID
	}
	for _, pattern := range []string{"DF*.md", "testdata/DF*"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if id := strings.TrimSuffix(filepath.Base(name), ".md"); !ids[id] {
				t.Errorf("%s belongs to no rule", name)
			}
		}
	}
}
