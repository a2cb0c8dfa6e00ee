package attest

import (
	"encoding/json"
	"fmt"
	"time"
)

// Requirement is something that must have been said about an image by somebody trusted. Of several such statements about
// the same digest the newest decides.
type Requirement struct {
	// Name is what errors call it: "test verdict".
	Name string
	// Type is the predicate's type.
	Type string
	// Check returns when the predicate was made and, as the second value, why it does not suffice: "" if it does. An error
	// says that it can't be understood, which denies.
	Check func(predicate json.RawMessage) (made time.Time, why string, err error)
	// MaxAge is how old it may be at the time of the check. 0 is any age.
	MaxAge time.Duration
}

// TestsPassed requires a passing in-toto test result (https://in-toto.io/attestation/test-result/v0.1), as package
// blackbox makes it. WARNED means that something could not be tested, and does not suffice.
func TestsPassed() Requirement {
	return Requirement{Name: "test verdict", Type: TestResultType, Check: func(raw json.RawMessage) (time.Time, string, error) {
		var p struct {
			Result        string `json:"result"`
			Configuration []struct {
				Annotations map[string]any `json:"annotations"`
			} `json:"configuration"`
			FailedTests []string `json:"failedTests"`
		}
		if err := json.Unmarshal(raw, &p); err != nil {
			return time.Time{}, "", err
		}
		var made time.Time
		for _, c := range p.Configuration {
			if text, ok := c.Annotations["finishedOn"].(string); ok {
				at, err := time.Parse(time.RFC3339, text)
				if err != nil {
					return time.Time{}, "", err
				}
				made = at
			}
		}
		return made, passed(p.Result, p.FailedTests), nil
	}}
}

// LintPassed requires a passing [LintResult].
func LintPassed() Requirement {
	return Requirement{Name: "lint verdict", Type: LintResultType, Check: func(raw json.RawMessage) (time.Time, string, error) {
		var p LintResult
		if err := json.Unmarshal(raw, &p); err != nil {
			return time.Time{}, "", err
		}
		return p.Finished, passed(string(p.Result), nil), nil
	}}
}

func passed(result string, failed []string) string {
	switch {
	case result != string(Passed):
		return fmt.Sprintf("its result is %q, not %s", clip(result), Passed)
	case len(failed) > 0:
		return fmt.Sprintf("it passed, and lists %d failed tests", len(failed))
	}
	return ""
}

// NoVulnerabilities requires the report of a vulnerability scanner that found nothing, or nothing but what is accepted: the
// ids (CVE-2026-1234) for which accept says so. Scans grow old fast: set MaxAge. The predicate is in-toto's
// (https://in-toto.io/attestation/vulns/v0.2); the scanner is of your own choice, and its report is signed with
// "plimsoll attest".
func NoVulnerabilities(accept func(id string) bool) Requirement {
	return Requirement{Name: "vulnerability scan", Type: VulnerabilitiesType, Check: func(raw json.RawMessage) (time.Time, string, error) {
		var p struct {
			Scanner *struct {
				Result []struct {
					ID string `json:"id"`
				} `json:"result"`
			} `json:"scanner"`
			Metadata struct {
				Finished time.Time `json:"scanFinishedOn"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(raw, &p); err != nil {
			return time.Time{}, "", err
		}
		if p.Scanner == nil {
			return time.Time{}, "", fmt.Errorf("it names no scanner")
		}
		for _, found := range p.Scanner.Result {
			if accept == nil || !accept(found.ID) {
				return p.Metadata.Finished, "it has " + clip(found.ID), nil
			}
		}
		return p.Metadata.Finished, "", nil
	}}
}
