Feature: Container definitions come from source control
  A build names a repository and a commit. Nobody can hand it something else.

  Background:
    Given the base image "base/userland:1.4.9"
    And a catalog
      """
      version: 1
      owner: base-images@example.com
      bases: [{repository: HOST/base/userland, versions: ">=1.4.9 <2"}]
      """
    And a repository with the file "Dockerfile"
      """
      FROM HOST/base/userland:1.4.9
      COPY greeting /greeting
      USER 65534:65534
      """
    And the repository has the file "greeting"
      """
      ahoy
      """
    And the repository has the file "features/image.feature"
      """
      Feature: The image
        Scenario: It greets
          Then the file "/greeting" contains "ahoy"
      """

  Scenario: What is committed is what is built
    Given everything is committed
    When the definition is delivered
    Then the image is published
    And the published image names the commit that it was made from

  Scenario: An older commit stays what it was
    Given everything is committed as "v1"
    And the repository has the file "greeting"
      """
      changed later
      """
    And everything is committed
    When the definition is delivered at "v1"
    Then the image is published
    And the published image has the file "greeting" with "ahoy"

  Scenario: Changes that nobody committed are not built
    Given everything is committed
    And the repository has the file "greeting"
      """
      changed on somebody's machine
      """
    When the definition is delivered
    Then the delivery stops at "checkout" because of "greeting"
    And nothing is published

  Scenario: A commit that does not exist is not replaced by another
    Given everything is committed
    When the definition is delivered at "v9"
    Then the delivery stops at "checkout" because of "no branch, tag or commit"
    And nothing is published
