Feature: A definition is moved to another base on the fly, and its developers are told
  Ops replaces a base for everybody at once. The repository stays as it is until its owners take the patch.

  Background:
    Given the base image "base/userland:1.4.8"
    And the base image "base/userland:1.4.9"
    And a catalog
      """
      version: 1
      owner: base-images@example.com
      bases: [{repository: HOST/base/userland, versions: ">=1.4.9 <2"}]
      substitutions:
        - from: {repository: HOST/base/userland, versions: "<1.4.9"}
          to: {version: 1.4.9}
          reason: 1.4.8 forgets to close its files
      """
    And a repository with the file "Dockerfile"
      """
      ARG V=1.4.8
      FROM HOST/base/userland:${V}
      # The version is not for RUN: ${V}
      USER 65534:65534
      """
    And the repository has the file "features/image.feature"
      """
      Feature: The image
        Scenario: It stands on the new base
          Then the file "/etc/os-release" contains "VERSION_ID=1.4.9"
      """
    And everything is committed
    And teams are told of their moves

  Scenario: The image stands on the new base, and says what was asked for
    When the definition is delivered
    Then the image is published
    And the published image says that it asked for "base/userland:1.4.8" and stands on "base/userland:1.4.9"
    And the repository is as it was

  Scenario: Its developers are told once, with a patch that git applies
    When the definition is delivered
    And the definition is delivered
    And the definition is delivered
    Then the team was told 1 time that it "is built on HOST/base/userland:1.4.9 instead of HOST/base/userland:1.4.8"
    And the message has the reason "1.4.8 forgets to close its files"
    And git applies the patch of the message
    And the file "Dockerfile" of the repository is
      """
      ARG V=1.4.8
      FROM HOST/base/userland:1.4.9
      # The version is not for RUN: ${V}
      USER 65534:65534
      """

  Scenario: A channel that never answers stops no delivery
    Given the team's channel never answers
    When the definition is delivered
    Then the image is published
    And a message waits for the team

  Scenario: The change comes as a branch, which later moves keep up to date and people keep for themselves
    When the move is followed up
    Then the branch has 1 commit with the change
    When the move is followed up
    Then the branch was left as it is
    When somebody commits to the branch
    And the move is followed up
    Then the branch is held by "Ada"
