package blackbox_test

import (
	"strings"
	"testing"
	"time"
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

// One that waits does not wait for an instance that is no more.
func TestStepDoesNotWaitForAnInstanceThatHasEnded(t *testing.T) {
	for _, step := range []string{`"GET /health" on port 8080 answers 200`, `the log contains "ready"`, `port 8080 accepts connections`} {
		began := time.Now()
		v := run(t, suite(t, "Feature: F\n  Scenario: S\n    Given the arguments \"exit 3\"\n    When an instance is started\n    Then within 5 minutes "+step+"\n"))
		if got := explain(v); !strings.Contains(got, "waiting longer changes nothing: the instance ended with exit code 3") {
			t.Error(got)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s: after %s", step, took)
		}
	}
}
