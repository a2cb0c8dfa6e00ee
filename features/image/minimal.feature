# For images that are meant to have nothing but their program: distroless, Wolfi, scratch.
@minimal
Feature: A minimal image

  @shell
  Scenario: It has no shell
    Then the image has no shell
    And the image starts without a shell

  @tools
  Scenario: It has no tools for an intruder
    Then the image has none of the programs
      | curl   |
      | wget   |
      | nc     |
      | ncat   |
      | socat  |
      | gcc    |
      | make   |
      | perl   |
      | tcpdump |

  @package-manager
  Scenario: Nothing can be installed
    Then the image has none of the programs
      | apt     |
      | apt-get |
      | dpkg    |
      | apk     |
      | dnf     |
      | microdnf |
      | yum     |
      | rpm     |
      | zypper  |
      | pip     |
      | npm     |
      | gem     |
