// Package results writes what became of a suite: for people in a terminal ([Pretty]) and a browser ([HTML]), for CI
// ([JUnit]), and for what understands Cucumber ([CucumberJSON], [Messages]).
//
//	verdict, err := suite.Run(ctx)
//	results.Pretty(os.Stdout, verdict, results.Options{})
//	results.HTML(file, verdict)
//
// All of them write the same verdict, so that one run can be reported in several forms. They print neither more nor
// other things than the verdict has; secrets are no part of one.
//
// Everything is safe for concurrent use. The API follows the module's version.
package results

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
)

// Write writes a verdict in one form.
type Write func(w io.Writer, v *blackbox.Verdict) error

// Formats returns the forms by the names that commands use for them.
func Formats() map[string]Write {
	return map[string]Write{
		"pretty":   func(w io.Writer, v *blackbox.Verdict) error { return Pretty(w, v, Options{}) },
		"junit":    JUnit,
		"cucumber": CucumberJSON,
		"messages": Messages,
		"html":     HTML,
	}
}

// byFeature groups the scenarios of a platform by their file, in the order in which the files come first.
func byFeature(p blackbox.PlatformResult) [][]blackbox.ScenarioResult {
	var order []string
	groups := map[string][]blackbox.ScenarioResult{}
	for _, s := range p.Scenarios {
		if !slices.Contains(order, s.Place.File) {
			order = append(order, s.Place.File)
		}
		groups[s.Place.File] = append(groups[s.Place.File], s)
	}
	var all [][]blackbox.ScenarioResult
	for _, file := range order {
		all = append(all, groups[file])
	}
	return all
}

// bad returns the step that decided about a scenario that did not pass.
func bad(s blackbox.ScenarioResult) (blackbox.StepResult, bool) {
	for _, step := range s.Steps {
		if step.Status != blackbox.Passed && step.Status != blackbox.Skipped {
			return step, true
		}
	}
	return blackbox.StepResult{}, false
}

// short prints a duration for people.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	default:
		return d.Round(time.Millisecond).String()
	}
}

// text keeps what terminals and documents can show: no control characters but tab and line feed.
func text(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r >= 0x20 && r != 0x7f && (r < 0x80 || r > 0x9f) {
			return r
		}
		return '\ufffd'
	}, strings.ToValidUTF8(s, "\ufffd"))
}
