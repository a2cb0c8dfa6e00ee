# What every service owes its operators. Parameters: port, path and time, such as --param port=8080 --param path=/health
# --param "time=10 seconds" --param "memory=128 MiB".
@service
Feature: A service in its sandbox

  @start
  Scenario: It starts with nothing but its image, and answers
    When an instance is started
    Then within ${time} "GET ${path}" on port ${port} answers 200
    And the instance is running

  @port
  Scenario: Others can reach it
    When an instance is started
    Then within ${time} port ${port} is open to other instances

  @user
  Scenario: It runs as nobody, with no privileges
    When an instance is started
    Then within ${time} port ${port} accepts connections
    And no process of the instance runs as root
    And no process of the instance has a capability

  @memory
  Scenario: It lives with little memory
    Given a memory limit of ${memory}
    When an instance is started
    Then within ${time} "GET ${path}" on port ${port} answers 200
    And the instance has not run out of memory

  @shutdown
  Scenario: It ends when it is asked to
    When an instance is started
    Then within ${time} port ${port} accepts connections
    And the instance stops within 10 seconds on SIGTERM

  @restart
  Scenario: It can be restarted
    When an instance is started
    Then within ${time} port ${port} accepts connections
    When the instance is restarted
    Then within ${time} "GET ${path}" on port ${port} answers 200

  @children
  Scenario: It leaves no dead children
    When an instance is started
    Then within ${time} port ${port} accepts connections
    And within 5 seconds no process is a zombie

  @logs
  Scenario: It writes its log to the standard streams
    When an instance is started
    Then within ${time} the log is not empty
    And the log does not match '(?i)\b(password|secret|token)=\S+'
