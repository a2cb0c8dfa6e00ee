# Made from goss.yaml, a file of goss.
Feature: What goss.yaml says about the image

  Scenario: File /etc/motd
    Then the path "/etc/motd" exists
    And the mode of the file "/etc/motd" is "0644"
    And the file "/etc/motd" belongs to the user "root"
    And the file "/etc/motd" belongs to the group "0"
    And the file "/etc/motd" has 35 bytes
    And the SHA-256 checksum of the file "/etc/motd" is "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    And the path "/etc/motd" is of the type file
    And the file "/etc/motd" contains "Welcome"
    And the file "/etc/motd" does not contain "debug"
    And the file "/etc/motd" matches "^Mind"
    And the file "/etc/motd" does not match "x\d"
    And the file "/etc/motd" contains "!bang"

  Scenario: File /etc/empty
    Then the path "/etc/empty" exists
    And the file "/etc/empty" does not match '\S'

  Scenario: File /gone
    Then the path "/gone" does not exist

  Scenario: File /usr/bin/tool
    Then the path "/usr/bin/tool" exists
    And the link "/usr/bin/tool" leads to "/opt/tool"
    And the path "/usr/bin/tool" is of the type symlink

  Scenario: File /etc/sized
    Then the path "/etc/sized" exists

  Scenario: Package tzdata
    Then the package "tzdata" is installed
    And the package "tzdata" is installed in the version "2025b-0+deb12u1"

  Scenario: Package curl
    Then the package "curl" is not installed

  Scenario: nobody can't log in
    Then the user "nobody" exists
    And the user "nobody" has the number 65534
    And the user "nobody" has the main group 65534
    And the user "nobody" has the home "/"
    And the user "nobody" has the shell "/usr/sbin/nologin"
    And the user "nobody" is in the group "nogroup"

  Scenario: User vagrant
    Then the user "vagrant" does not exist

  Scenario: Group shadow
    Then the group "shadow" exists
    And the group "shadow" has the number 42

  Scenario: Port tcp:8080
    When an instance is started
    Then within 10 seconds the instance listens on port 8080
    And within 10 seconds the instance listens on port 8080 at the address "0.0.0.0"

  Scenario: Port tcp:22
    When an instance is started
    Then the instance does not listen on port 22

  Scenario: Port udp:5353
    When an instance is started
    Then within 10 seconds the instance listens on the UDP port 5353

  Scenario: Process service
    When an instance is started
    Then within 10 seconds a process "service" is running

  Scenario: Process sshd
    When an instance is started
    Then no process "sshd" is running

  Scenario: Command /app/service version
    When an instance is started
    And the command "/app/service version" is run in the instance
    Then the exit code is 0
    And the standard output contains "service"
    And the standard error does not match '\S'
    And the command took less than 10000 milliseconds

  Scenario: Command echo $HOME | cat
    When an instance is started
    And the command "sh" is run in the instance with the arguments
      | -c |
      | echo $HOME \| cat |
    Then the exit code is 0

  Scenario: Command missing
    When an instance is started
    And the command "sh" is run in the instance with the arguments
      | -c |
      | missing |
    Then the exit code is 127

  Scenario: HTTP http://localhost:8080/health
    When an instance is started
    And within 10 seconds "GET /health" is sent to port 8080
    Then the response status is 200
    And the response header "Content-Type" contains "text/plain"
    And the response body contains "ok"

  Scenario: HTTP https://localhost:8443/login
    When an instance is started
    And within 10 seconds "GET /login" is sent over TLS to port 8443 with the headers
      | Authorization | Basic cWE6c2VjcmV0 |
    Then the response status is 401

  Scenario: HTTP http://127.0.0.1:8080/echo
    When an instance is started
    And within 10 seconds "POST /echo" is sent to port 8080 with the body
      """
      {"a": 1}
      """
    Then the response status is 200
    And the response body contains '"a": 1'

  Scenario: Address tcp://localhost:2525
    When an instance is started
    Then within 10 seconds port 2525 accepts connections

# Left:
# goss.yaml:22: file /etc/sized: size: a matcher, which no step has
# goss.yaml:23: file /dev/null: exists: it is made by the engine for a running instance and is no file of the image
# goss.yaml:24: file relative: exists: it is relative to a home or working directory
# goss.yaml:64: command skipped: it is switched off by skip
# goss.yaml:72: http https://localhost:8443/login: that the certificate is trusted; a step looks at its name and dates
# goss.yaml:80: http http://example.com/: status, timeout: it is about another machine, which an instance in the sandbox can't reach
# goss.yaml:83: addr tcp://db:5432: reachable: it is about another machine, which an instance in the sandbox can't reach
# goss.yaml:85: dns localhost: an instance in the sandbox has no name server to ask
# goss.yaml:87: service sshd: an instance has no init system; test its processes and ports
# goss.yaml:89: mount /home: it is about the machine around the image, not about the image
# goss.yaml:91: nonsense x: goss has no such resource
