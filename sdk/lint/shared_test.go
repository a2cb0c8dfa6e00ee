package lint_test

import (
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// TestSharedIsMadeOnceForEachFile has two rules ask for the same thing, over two files.
func TestSharedIsMadeOnceForEachFile(t *testing.T) {
	made := 0
	stages := lint.Share(func(pass *lint.Pass) int {
		made++
		return len(pass.File.Stages)
	})
	rule := func(id string) lint.Rule {
		return lint.Rule{ID: id, Severity: finding.Info, Run: func(pass *lint.Pass) {
			pass.Report(pass.Final().Base, "%d", stages.Of(pass))
		}}
	}
	rules := []lint.Rule{rule("XX0001"), rule("XX0002")}
	for i, src := range []string{"FROM a\n", "FROM a\nFROM b\n"} {
		want := i + 1
		findings, err := lint.Run(parse(t, src), rules, lint.Config{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			if f.Message != string(rune('0'+want)) {
				t.Errorf("%s: %s stages, want %d", f.Rule, f.Message, want)
			}
		}
		if len(findings) != 2 || made != want {
			t.Errorf("%d findings, made %d times; want 2 and %d", len(findings), made, want)
		}
	}
}
