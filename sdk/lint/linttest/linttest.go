// Package linttest tests lint rules, those of package rules and one's own, by what is in their folders:
//
//	testdata/DF2001/finds.txtar
//	testdata/DF2001/passes-quoted.txtar
//
// Archives whose name begins with finds must have findings and those with passes none. An archive has a file Dockerfile; want, the findings of the rule as they are printed; fixed, the Dockerfile after the
// rule's fixes, when it has any; and perhaps config, a [lint.Config] in JSON. With [Options.Update] want and fixed are
// written instead of compared.
package linttest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// Options change what [Run] does. The zero value compares.
type Options struct {
	// Update writes want and fixed into the archives.
	Update bool
	// With are rules that run beside those under test, to see that no fix brings up one of their findings.
	With []lint.Rule
}

// Run tests each rule in a subtest of its own. It fails
//   - for a rule that [lint.Validate] refuses;
//   - for a rule with no archive that has findings, or none that has not;
//   - when findings or the fixed file differ from the archive;
//   - when a fix does not make its finding vanish, brings up another one, touches a byte outside its edits, makes a file
//     that does not parse, or changes something the second time;
//   - when the example under "Bad" on the rule's page is not found, or the one under "Good" is.
func Run(t *testing.T, dir string, rules []lint.Rule, opts Options) {
	t.Helper()
	if err := lint.Validate(rules); err != nil {
		t.Error(err)
	}
	all := slices.Concat(rules, opts.With)
	for _, r := range rules {
		t.Run(r.ID+"-"+r.Name, func(t *testing.T) {
			t.Parallel()
			suite{rule: r, all: all, update: opts.Update}.run(t, filepath.Join(dir, r.ID))
		})
	}
}

// suite is one rule under test.
type suite struct {
	rule   lint.Rule
	all    []lint.Rule
	update bool
}

func (s suite) run(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var finds, passes int
	for _, name := range names {
		base := strings.TrimSuffix(filepath.Base(name), ".txtar")
		t.Run(base, func(t *testing.T) {
			found := s.archive(t, name) > 0
			switch {
			case strings.HasPrefix(base, "finds") && found:
				finds++
			case strings.HasPrefix(base, "passes") && !found:
				passes++
			default:
				t.Errorf("name an archive finds... or passes..., by what it shows; findings: %t", found)
			}
		})
	}
	if finds == 0 || passes == 0 {
		t.Errorf("%s: %d archives with findings and %d without; a rule needs at least one of each", dir, finds, passes)
	}
	s.page(t)
}

// archive runs one archive and returns how many findings the rule had.
func (s suite) archive(t *testing.T, name string) int {
	t.Helper()
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var cfg lint.Config
	if data := section(a, "config"); data != "" {
		if err := json.Unmarshal([]byte(data), &cfg); err != nil {
			t.Fatalf("%s: config: %v", name, err)
		}
	}
	file := parse(t, []byte(section(a, "Dockerfile")))
	findings := s.lint(t, file, cfg)
	fixed := s.fix(t, file, cfg)
	fixedText := ""
	if string(fixed.Src) != string(file.Src) {
		fixedText = string(fixed.Src)
		if !s.rule.Fixes {
			t.Error("the rule has fixes; set its Fixes")
		}
	}
	if s.update {
		set(a, "want", printed(findings))
		set(a, "fixed", fixedText)
		if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(section(a, "want"), printed(findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(section(a, "fixed"), fixedText); diff != "" {
		t.Errorf("fixed (-want +got):\n%s", diff)
	}
	return len(findings)
}

// lint returns the rule's findings. The other rules run too: some rules look at what these found.
func (s suite) lint(t *testing.T, file *definition.File, cfg lint.Config) []finding.Finding {
	t.Helper()
	return only(s.rule, s.lintAll(t, file, cfg))
}

func (s suite) lintAll(t *testing.T, file *definition.File, cfg lint.Config) []finding.Finding {
	t.Helper()
	findings, err := lint.Run(file, s.all, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

func only(r lint.Rule, findings []finding.Finding) []finding.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f finding.Finding) bool { return f.Rule != r.ID })
}

// page checks the examples on the rule's page.
func (s suite) page(t *testing.T) {
	t.Helper()
	for heading, wanted := range map[string]bool{"Bad": true, "Good": false} {
		_, rest, _ := strings.Cut(s.rule.Doc, "\n## "+heading+"\n")
		rest, _, _ = strings.Cut(rest, "\n## ")
		_, rest, _ = strings.Cut(rest, "```dockerfile\n")
		example, _, ok := strings.Cut(rest, "```")
		if !ok {
			t.Errorf("page: no ```dockerfile example under %q", heading)
			continue
		}
		file := parse(t, []byte(example))
		// The examples name days of 2026 and later.
		findings := s.lint(t, file, lint.Config{At: exampleTime})
		if found := len(findings) > 0; found != wanted {
			t.Errorf("page: the example under %q has %d findings of the rule:\n%s", heading, len(findings), printed(findings))
		}
	}
}

func parse(t *testing.T, src []byte) *definition.File {
	t.Helper()
	file, err := definition.Parse("Dockerfile", src)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func printed(findings []finding.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		b.WriteString(f.String() + "\n")
	}
	return b.String()
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// set replaces a section; an empty fixed is left out.
func set(a *txtar.Archive, name, data string) {
	a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return f.Name == name })
	if name != "fixed" || data != "" {
		a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(data)})
	}
}
