# Made from structure.yaml, a file of container-structure-test.
Feature: What structure.yaml says about the image

  Scenario: Command: version
    Given a writable root filesystem
    And the user "1000"
    And the capability "NET_BIND_SERVICE"
    And the environment
      | TOKEN | ${TOKEN} |
    And the environment
      | MODE | test |
    When the command "/app/service" is run with the arguments
      | version |
      | --long |
    Then the exit code is 0
    And the standard output matches "(?-m)^service \d+"
    And the standard error does not match "panic"

  Scenario: Command: one word
    Given a writable root filesystem
    And the user "1000"
    And the capability "NET_BIND_SERVICE"
    And the environment
      | TOKEN | ${TOKEN} |
    And the environment
      | MODE | test |
      | LEVEL | debug |
    When the command "'/app/my service'" is run
    Then the exit code is 3

  Scenario: Command: script
    Given a writable root filesystem
    And the user "1000"
    And the capability "NET_BIND_SERVICE"
    And the environment
      | TOKEN | ${TOKEN} |
    And the environment
      | MODE | test |
    When the command "sh" is run with the arguments
      | -c |
      | echo $HOME \| cat\n |
    Then the exit code is 0

  Scenario: File existence: config
    Then the path "/etc/app.conf" exists
    And the mode of the file "/etc/app.conf" is "0640"
    And the path "/etc/app.conf" is of the type file
    And the file "/etc/app.conf" belongs to the user "0"
    And the file "/etc/app.conf" belongs to the group "42"
    And the file "/etc/app.conf" is executable for anybody

  Scenario: File existence: sticky
    Then the path "/tmp" exists
    And the mode of the file "/tmp" is "1777"
    And the path "/tmp" is of the type directory

  Scenario: File existence: link
    Then the path "/bin/sh" exists

  Scenario: File existence: gone
    Then the path "/root/.ssh" does not exist

  Scenario: File content: motd
    Then the file "/etc/motd" matches "it's \"here\""
    And the file "/etc/motd" matches "(?-m)^Welcome$"
    And the file "/etc/motd" does not match "debug"

  Scenario: Metadata
    Then the image sets the variable "LANG" to "C.UTF-8"
    And the variable "PATH" of the image matches "(?-m)^/app"
    And the image does not set the variable "DEBUG"
    And the label "title" of the image is "service"
    And the label "empty" of the image is ""
    And the image exposes the port 8080
    And the image exposes the UDP port 53
    And the image does not expose the port 22
    And the image has the volume "/data"
    And the image does not have the volume "/proc"
    And the entrypoint of the image is "/app/service 'with space'"
    And the image has no command
    And the working directory of the image is "/app"
    And the image runs as the user "65532"

# Left:
# structure.yaml:11: containerRunOptions: privileged: the sandbox does not do that: no privileges, no terminal, nothing of the host
# structure.yaml:5: globalEnvVars: PATH: it refers to the image's environment, which a step does not expand
# structure.yaml:30: command test "prepared": exit code: it changes the image by commands first: have them in an image of its own
# structure.yaml:33: command test "prepared": expectedOutput: it changes the image by commands first: have them in an image of its own
# structure.yaml:34: command test "expanded": exit code: it refers to the image's environment, which a step does not expand
# structure.yaml:37: command test "spaces": exit code: the text can't be written in a step
# structure.yaml:52: file existence test "link": permissions: "Lrwxrwxrwx" is not the mode of a file or directory
# structure.yaml:53: file existence test "hosts": uid: it is made by the engine for a running instance and is no file of the image
# structure.yaml:59: file existence test "gone": color: container-structure-test has no such field
# structure.yaml:66: license test: the list of licenses that it allows is Google's
