package blackbox_test

import "testing"

func TestParameters(t *testing.T) {
	s := suite(t, `Feature: F
  Scenario: S
    Given the environment
      | GREETING | ${greeting} |
    When an instance is started
    Then within ${time} "GET ${path}" on port ${port} answers 200
    And within 10 seconds the log contains "${greeting}"
    And the log does not contain "$${greeting}"
    And the log does not contain '${odd}'
`)
	s.Options.Params = map[string]string{"greeting": `say "hi", it's me \d`, "time": "10 seconds", "path": "/health", "port": "8080", "odd": `' exists "`}
	if err := run(t, s).Err(); err != nil {
		t.Error(err)
	}
}
