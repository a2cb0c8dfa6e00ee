package blackbox

import (
	"fmt"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Result is the verdict in a word, as in-toto's test-result predicate has it.
type Result string

// The results. Warned means that nothing failed, but not everything could be tested.
const (
	ResultPassed Result = "PASSED"
	ResultWarned Result = "WARNED"
	ResultFailed Result = "FAILED"
)

// Result is passed only when at least one scenario ran on every platform and all of them passed.
func (v *Verdict) Result() Result {
	if len(v.Problems) > 0 || len(v.Platforms) == 0 {
		return ResultFailed
	}
	result := ResultPassed
	for _, p := range v.Platforms {
		switch p.Result() {
		case ResultFailed:
			return ResultFailed
		case ResultWarned:
			result = ResultWarned
		}
	}
	return result
}

// Result is that of one platform. It does not know of problems in features.
func (p PlatformResult) Result() Result {
	if len(p.Scenarios) == 0 {
		return ResultFailed
	}
	result := ResultPassed
	if p.Untested != "" {
		result = ResultWarned
	}
	for _, s := range p.Scenarios {
		switch s.Status {
		case Passed:
		case Untested:
			result = ResultWarned
		default:
			return ResultFailed
		}
	}
	return result
}

// FailedError is what [Verdict.Err] returns for a verdict that failed.
type FailedError struct{ Findings []finding.Finding }

func (e *FailedError) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// UntestedError is what [Verdict.Err] returns when nothing failed but platforms could not be tested. Who can accept
// that may look for it with [errors.As].
type UntestedError struct{ Platforms []PlatformResult }

func (e *UntestedError) Error() string {
	reasons := make([]string, len(e.Platforms))
	for i, p := range e.Platforms {
		reasons[i] = fmt.Sprintf("%s: %s", p.Platform, p.Untested)
	}
	return "not every platform was tested: " + strings.Join(reasons, "; ")
}

// Err returns nil when the verdict passes, else a [*FailedError] or an [*UntestedError].
func (v *Verdict) Err() error {
	switch v.Result() {
	case ResultPassed:
		return nil
	case ResultWarned:
		e := &UntestedError{}
		for _, p := range v.Platforms {
			if p.Untested != "" {
				e.Platforms = append(e.Platforms, p)
			}
		}
		return e
	default:
		return &FailedError{Findings: v.failures()}
	}
}

// Rules of the findings about features and about what they found.
const (
	ruleSyntax      = "BB1001" // a feature can't be read or parsed
	ruleNoScenario  = "BB1002" // a feature has no scenario, or none was selected
	ruleKeyword     = "BB1003" // a line looks like a keyword, but is none
	ruleNoSteps     = "BB1004" // a scenario has no steps or an outline no examples
	rulePlaceholder = "BB1005" // an outline names a column that its examples lack
	ruleUndefined   = "BB2001"
	ruleAmbiguous   = "BB2002"
	ruleFailed      = "BB3001" // a step did not pass
	ruleUntested    = "BB3002" // a platform could not be tested
)

// Findings returns the verdict in the form that every check of Plimsoll reports: the problems of features, one error
// for each scenario that did not pass, and a warning for each platform that could not be tested.
func (v *Verdict) Findings() []finding.Finding {
	findings := v.failures()
	for _, p := range v.Platforms {
		if p.Untested != "" {
			findings = append(findings, finding.Finding{
				Rule: ruleUntested, Severity: finding.Warning,
				Place:   finding.Place{Image: v.Reference},
				Message: fmt.Sprintf("%s was not tested: %s", p.Platform, p.Untested),
			})
		}
	}
	return finding.Sort(findings)
}

func (v *Verdict) failures() []finding.Finding {
	findings := append([]finding.Finding(nil), v.Problems...)
	for _, p := range v.Platforms {
		if len(p.Scenarios) == 0 && len(v.Problems) == 0 {
			findings = append(findings, finding.Finding{
				Rule: ruleNoScenario, Severity: finding.Error, Place: finding.Place{Image: v.Reference},
				Message: fmt.Sprintf("no scenario ran on %s", p.Platform),
			})
		}
		for _, s := range p.Scenarios {
			if s.Status != Passed && s.Status != Untested {
				findings = append(findings, s.finding(p.Platform))
			}
		}
	}
	if len(v.Platforms) == 0 && len(findings) == 0 {
		findings = append(findings, finding.Finding{
			Rule: ruleNoScenario, Severity: finding.Error, Place: finding.Place{Image: v.Reference}, Message: "no platform was tested",
		})
	}
	return finding.Sort(findings)
}

func (s ScenarioResult) finding(platform string) finding.Finding {
	f := finding.Finding{Rule: ruleFailed, Severity: finding.Error, Place: s.Place, Message: fmt.Sprintf("%s (%s): did not run to its end", s.Name, platform)}
	for _, step := range s.Steps {
		switch step.Status {
		case Passed, Skipped, Untested:
			continue
		case Undefined:
			f.Rule = ruleUndefined
		case Ambiguous:
			f.Rule = ruleAmbiguous
		}
		f.Place = step.Place
		f.Message = fmt.Sprintf("%s (%s): %s: %s", s.Name, platform, step.Text, step.Error)
		return f
	}
	return f
}
