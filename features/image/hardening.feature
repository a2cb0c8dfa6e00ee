# What the CIS Docker Benchmark (section 4), dockle and Docker Scout check about an image, as far as it can be seen in the
# image itself. It holds for distroless images. Exceptions are made with tags: --tags "not @setuid".
@hardening
Feature: Hardening of an image

  @user
  Scenario: It does not run as root
    Then the image runs as a user other than root

  @setuid
  Scenario: No program gives away privileges
    Then no file has the setuid or setgid bit
    And no file has capabilities

  @permissions
  Scenario: Nobody can write where everybody reads
    Then no file is writable for everybody

  @permissions
  Scenario: The image's user can't change accounts
    Then no file matching any of these is writable
      | /           |
      | /etc        |
      | /etc/passwd |
      | /etc/group  |
      | /etc/shadow |

  @accounts
  Scenario: Nobody can log in
    Then no user has a password
    And only root has the number 0
    And every user and group has a number of its own

  @secrets
  Scenario: It holds no secrets
    Then no variable of the image looks like a secret
    And the history of the image has no secret
    And no file has a secret
    And no file matching any of these exists
      | **/.ssh/id_*           |
      | **/.aws/credentials    |
      | **/.docker/config.json |
      | **/.netrc              |
      | **/.npmrc              |
      | **/.pypirc             |
      | **/.git-credentials    |
      | **/.kube/config        |

  @remote-access
  Scenario: It offers no remote access
    Then the image does not expose the port 22
    And the image does not expose the port 23
    And the image has none of the programs
      | sshd    |
      | telnetd |
      | sudo    |
      | doas    |

  @volumes
  Scenario: It does not ask for directories of its host
    Then the image does not have the volume "/"
    And the image does not have the volume "/dev"
    And the image does not have the volume "/proc"
    And the image does not have the volume "/sys"
    And the image does not have the volume "/var/run/docker.sock"

  @programs
  Scenario: What is in it runs on its platform
    Then all programs are for the platform of the image
