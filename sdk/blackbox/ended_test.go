package blackbox_test

import (
	"strings"
	"testing"
)

// A step that fails because its instance is no more says how that ended.
func TestStepSaysHowItsInstanceEnded(t *testing.T) {
	v := run(t, suite(t, `Feature: F
  Scenario: S
    Given the arguments "exit 3"
    When an instance is started
    Then within 1 second "GET /health" on port 8080 answers 200
`))
	if got := explain(v); !strings.Contains(got, "the instance ended with exit code 3") {
		t.Error(got)
	}
}
