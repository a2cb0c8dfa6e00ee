package lint_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
)

// counts runs all rules and says how many findings pass by the baseline and how many are new.
func counts(t *testing.T, src string, b *lint.Baseline) (known, fresh int, findings []finding.Finding) {
	t.Helper()
	findings, err := lint.Run(parse(t, src), rules.All(), lint.Config{Baseline: b})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Suppressed != nil && f.Suppressed.Kind == "baseline" {
			known++
		} else {
			fresh++
		}
	}
	return known, fresh, findings
}

func TestBaselineLetsOnlyOldFindingsPass(t *testing.T) {
	src := "FROM a:1\nADD x /x\nADD x /x\nUSER 1\n"
	var b lint.Baseline
	_, _, old := counts(t, src, nil)
	b.Accept(parse(t, src), old)

	tests := []struct {
		name, src    string
		known, fresh int
	}{
		{"the same", src, 2, 0},
		{"moved down, and reformatted elsewhere", "# one\n\nFROM   a:1\nENV A=1\nADD x /x\nRUN true\nADD x /x\nUSER 1\n", 2, 0},
		{"one more that looks the same", "FROM a:1\nADD x /x\nADD x /x\nADD x /x\nUSER 1\n", 2, 1},
		{"another rule", "FROM a\nADD x /x\nADD x /x\nUSER 1\n", 2, 1},
		{"in another stage", "FROM a:1 AS b\nUSER 1\nADD x /x\nFROM b\nADD x /x\n", 1, 1},
		{"one fixed", "FROM a:1\nCOPY x /x\nADD x /x\nUSER 1\n", 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if known, fresh, findings := counts(t, tt.src, &b); known != tt.known || fresh != tt.fresh {
				t.Errorf("%d known and %d new, want %d and %d: %v", known, fresh, tt.known, tt.fresh, findings)
			}
		})
	}
}

func TestBaselineIsARatchet(t *testing.T) {
	src := "FROM a\nADD x /x\nADD x /x\nUSER 1\n"
	b := &lint.Baseline{Known: []lint.Known{{Rule: "DF1101", File: "other/Dockerfile", Fingerprint: "f", Count: 1}}}
	_, _, old := counts(t, src, nil)
	b.Accept(parse(t, src), old)

	better := "FROM a:1\nADD x /x\nCOPY x /x\nADD y /y\nADD z /z\nUSER 1\n"
	_, fresh, findings := counts(t, better, b)
	fixed := b.Shrink(parse(t, better), findings)
	if fresh != 1 || len(fixed) != 1 {
		t.Errorf("%d new, %d fixed, want 1 and 1: %v", fresh, len(fixed), findings)
	}
	if _, fresh, _ := counts(t, src, b); fresh != 1 {
		t.Errorf("what was fixed and came back: %d new, want 1", fresh)
	}
	for _, k := range b.Known {
		if k.File == "other/Dockerfile" && k.Count != 1 {
			t.Error("another file's entry changed")
		}
	}
	before := *b
	if again := b.Shrink(parse(t, better), findings); len(again) != 0 {
		t.Errorf("shrinking twice took out %v", again)
	}
	if diff := cmp.Diff(before, *b); diff != "" {
		t.Errorf("shrinking twice changed the baseline:\n%s", diff)
	}
}

func TestBaselineKeepsNoSecrets(t *testing.T) {
	src := "FROM a:1\nENV K=AKIAQYLPMN5HNTZ7WNQ2\nUSER 1\n"
	var b lint.Baseline
	_, _, findings := counts(t, src, nil)
	b.Accept(parse(t, src), findings)
	var out strings.Builder
	if err := b.Write(&out); err != nil {
		t.Fatal(err)
	}
	if len(b.Known) != 1 || strings.Contains(out.String(), "QYLPMN5") {
		t.Errorf("baseline:\n%s", out.String())
	}
}

func TestReadBaselineRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "", "EOF"},
		{"other version", `{"version": 2, "known": []}`, "version is 2"},
		{"unknown field", `{"version": 1, "knwon": []}`, "knwon"},
		{"more after it", `{"version": 1} {}`, "something follows"},
		{"count of zero", `{"version": 1, "known": [{"rule": "DF1101", "file": "f", "fingerprint": "x", "count": 0}]}`, "known[0]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := lint.ReadBaseline(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
		})
	}
}
