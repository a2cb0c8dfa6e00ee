package blackbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
)

// exampleFeature makes one feature of the examples of all steps, a scenario each.
func exampleFeature(steps []blackbox.Step) string {
	var b strings.Builder
	fmt.Fprintln(&b, "Feature: The examples of the steps")
	for i, s := range steps {
		fmt.Fprintf(&b, "\n  Scenario: %03d %s\n    %s\n", i, s.Expression, strings.ReplaceAll(s.Example, "\n", "\n    "))
	}
	return b.String()
}

// notInFake are the steps whose examples need a real sandbox.
var notInFake = []string{
	"the instance has run out of memory", "the main process has the capability {string}",
	"the instance uses less than {size} of memory", "a memory limit of {size}",
	"the instance uses less than {int} processes and threads", "the instance has used less than {duration} of processor time",
}

func TestExamplesOfAllStepsPass(t *testing.T) {
	steps := slices.DeleteFunc(blackbox.Steps(), func(s blackbox.Step) bool { return slices.Contains(notInFake, s.Expression) })
	s := suite(t, exampleFeature(steps))
	runtime := serviceRuntime()
	s.Runtime = runtime
	v := run(t, s)
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	if n := runtime.Open(); n != 0 {
		t.Errorf("%d instances are left", n)
	}
	for i, scenario := range v.Platforms[0].Scenarios {
		uses := func(r blackbox.StepResult) bool { return r.Expression == steps[i].Expression }
		if !slices.ContainsFunc(scenario.Steps, uses) {
			t.Errorf("the example of %q does not use it", steps[i].Expression)
		}
	}
}

func TestEveryStepIsDocumented(t *testing.T) {
	steps := blackbox.Steps()
	if len(steps) < 90 {
		t.Errorf("%d steps: expected at least 90", len(steps))
	}
	seen := map[string]bool{}
	for _, s := range steps {
		if seen[s.Expression] {
			t.Errorf("step %q is there twice", s.Expression)
		}
		seen[s.Expression] = true
		if s.Group == "" || s.Kind == "" || s.Example == "" || !strings.HasSuffix(s.Doc, ".") {
			t.Errorf("step %q: needs a group, a kind, an example and a sentence, has %q, %q, %q, %q", s.Expression, s.Group, s.Kind, s.Example, s.Doc)
		}
	}
}
