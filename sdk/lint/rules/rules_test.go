package rules_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/linter"

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

// The page says how a finding counts and whether the author of a file may suppress it: it must be what the rule says.
func TestPagesTellTheDefaults(t *testing.T) {
	for _, r := range rules.All() {
		want := "The default severity is " + r.Severity.String() + "."
		switch {
		case r.Last:
			want += " A comment in the file never suppresses it."
		case r.Suppressible:
			want += " A comment in the file may suppress it."
		default:
			want += " A comment in the file may suppress it only if `inline.allow` says so."
		}
		if !strings.Contains(r.Doc, want) {
			t.Errorf("%s.md does not say: %s", r.ID, want)
		}
		for _, alias := range r.Aliases {
			if tool, _, ok := strings.Cut(alias, ":"); !ok || tool != "hadolint" && tool != "buildkit" {
				t.Errorf("%s: alias %q is not hadolint:NAME or buildkit:NAME", r.ID, alias)
			}
		}
	}
}

// Every check of BuildKit that needs no build has a rule here.
func TestBuildKitsChecksAreCovered(t *testing.T) {
	covered := map[string]bool{
		"CopyIgnoredFile":              true, // needs the build context; the build itself reports it
		"InvalidBaseImagePlatform":     true, // needs the registry; package catalog decides by platform
		"InvalidDefinitionDescription": true, // experimental, about comments
	}
	for _, r := range rules.All() {
		for _, alias := range r.Aliases {
			covered[strings.TrimPrefix(alias, "buildkit:")] = true
		}
	}
	for _, name := range []string{
		linter.RuleStageNameCasing.Name, linter.RuleFromAsCasing.Name, linter.RuleNoEmptyContinuation.Name,
		linter.RuleConsistentInstructionCasing.Name, linter.RuleDuplicateStageName.Name, linter.RuleReservedStageName.Name,
		linter.RuleJSONArgsRecommended.Name, linter.RuleMaintainerDeprecated.Name, linter.RuleUndefinedArgInFrom.Name,
		linter.RuleWorkdirRelativePath.Name, linter.RuleUndefinedVar.Name, linter.RuleMultipleInstructionsDisallowed.Name,
		linter.RuleLegacyKeyValueFormat.Name, linter.RuleInvalidBaseImagePlatform.Name, linter.RuleRedundantTargetPlatform.Name,
		linter.RuleSecretsUsedInArgOrEnv.Name, linter.RuleInvalidDefaultArgInFrom.Name, linter.RuleFromPlatformFlagConstDisallowed.Name,
		linter.RuleCopyIgnoredFile.Name, linter.RuleInvalidDefinitionDescription.Name, linter.RuleExposeProtoCasing.Name,
		linter.RuleExposeInvalidFormat.Name,
	} {
		if !covered[name] {
			t.Errorf("no rule is also known as buildkit:%s", name)
		}
	}
}
