Feature: The greeter's image
  It runs as nobody, answers, and leaves when it is told to.

  Scenario: It is made as Ops wants it
    Given the image under test
    Then the image runs as the user "65534:65534"
    And the image exposes the port 8080
    And the image starts without a shell
    And no file has the setuid or setgid bit
    And the image is smaller than 50 MiB

  Scenario: It answers
    When an instance is started with the environment
      | GREETING | Welcome |
    Then within 10 seconds "GET /health" on port 8080 answers 200
    And "GET /greet/Ada" on port 8080 answers 200 with the text "Welcome, Ada!"
    And the instance runs as a user other than root
    And the file "/etc/passwd" is not writable

  Scenario: It leaves cleanly
    When an instance is started
    Then within 10 seconds "GET /health" on port 8080 answers 200
    And the instance stops within 5 seconds on SIGTERM with the exit code 0
