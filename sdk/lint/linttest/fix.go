package linttest

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var exampleTime = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

// maxRounds is how often the fixes of one rule may take turns, when they overlap.
const maxRounds = 5

// fix applies the rule's fixes until none is left, and checks what they promise.
func (s suite) fix(t *testing.T, file *definition.File, cfg lint.Config) *definition.File {
	t.Helper()
	before := s.lintAll(t, file, cfg)
	findings := only(s.rule, before)
	for range maxRounds {
		src, applied, err := lint.Apply(file.Name, file.Src, findings)
		if err != nil {
			t.Fatal(err)
		}
		if applied == 0 {
			return file
		}
		checkUntouched(t, file.Src, src, findings)
		fixed, err := definition.Parse(file.Name, src)
		if err != nil {
			t.Fatalf("the fixed file does not parse: %v\n%s", err, src)
		}
		after := s.lintAll(t, fixed, cfg)
		if left := len(only(s.rule, after)); left > len(findings)-applied {
			t.Errorf("%d findings, %d fixes applied, %d findings left in\n%s", len(findings), applied, left, src)
		}
		checkNothingNew(t, before, after)
		file, before, findings = fixed, after, only(s.rule, after)
	}
	t.Errorf("fixes do not come to an end in %d rounds:\n%s", maxRounds, file.Src)
	return file
}

// checkNothingNew fails for findings, of any rule, that only the fixed file has.
func checkNothingNew(t *testing.T, before, after []finding.Finding) {
	t.Helper()
	had := map[string]int{}
	for _, f := range before {
		had[f.Rule]++
	}
	for _, f := range after {
		if had[f.Rule]--; had[f.Rule] < 0 {
			t.Errorf("the fix brings up %s", f)
		}
	}
}

// checkUntouched checks that what the edits do not name is in the fixed file as it was. Fixes that overlap others were
// left out, so a run of bytes may stay that an edit names.
func checkUntouched(t *testing.T, src, fixed []byte, findings []finding.Finding) {
	t.Helper()
	var edits []finding.Edit
	for _, f := range findings {
		if len(f.Fixes) > 0 && f.Suppressed == nil {
			edits = append(edits, f.Fixes[0].Edits...)
		}
	}
	slices.SortFunc(edits, func(a, b finding.Edit) int { return a.Start - b.Start })
	at := 0
	for _, e := range edits {
		if e.Start < at {
			continue
		}
		i := bytes.Index(fixed, src[at:e.Start])
		if i < 0 || at == 0 && i > 0 {
			t.Errorf("bytes %d to %d of the file, outside all edits, are not in the fixed one: %q", at, e.Start, src[at:e.Start])
			return
		}
		fixed, at = fixed[i+e.Start-at:], e.End
	}
	if !bytes.HasSuffix(fixed, src[at:]) {
		t.Errorf("bytes from %d on, outside all edits, are not in the fixed file: %q", at, src[at:])
	}
}
