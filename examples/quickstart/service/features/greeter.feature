Feature: The greeter's image
  It runs as nobody, answers, and leaves when it is told to.

  Scenario: It is configured as Ops wants it
    Given the image under test
    Then the image's user is "65534:65534"
    And the image exposes the port 8080
    And the image has no setuid files

  Scenario: It answers
    When an instance is started with the environment
      | GREETING | Welcome |
    Then within 10 seconds "GET /health" on port 8080 answers 200
    And "GET /greet/Ada" on port 8080 answers 200 with "Welcome, Ada!"
    And the instance runs as a user other than root
    And the file "/etc/passwd" is not writable

  Scenario: It leaves cleanly
    When an instance is started
    Then within 10 seconds "GET /health" on port 8080 answers 200
    And the instance stops within 5 seconds of SIGTERM with the exit code 0
