Feature: Images are black-box tested in a sandbox before anybody gets them
  QA writes what an image must do in Gherkin. An image that does not is not published.

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
      USER 65534:65534
      ENTRYPOINT ["/bin/cat", "/etc/os-release"]
      """

  Scenario: What was tested is what is published
    Given the repository has the file "features/image.feature"
      """
      Feature: The image
        Scenario: It runs as nobody
          Then the image runs as the user "65534:65534"
      """
    And everything is committed
    When the definition is delivered
    Then the image is published
    And the published image is the tested one, digest for digest

  Scenario: A test that does not pass
    Given the repository has the file "features/image.feature"
      """
      Feature: The image
        Scenario: It runs as root
          Then the image runs as the user "root"
      """
    And everything is committed
    When the definition is delivered
    Then the delivery stops at "test" because of "It runs as root"
    And nothing is published

  Scenario: A step that nobody knows is no pass
    Given the repository has the file "features/image.feature"
      """
      Feature: The image
        Scenario: It is great
          Then the image is great
      """
    And everything is committed
    When the definition is delivered
    Then the delivery stops at "test" because of "the image is great"
    And nothing is published

  Scenario: An image that nobody tested
    Given everything is committed
    When the definition is delivered
    Then the delivery stops at "publish" because of "no scenario tested this image"
    And nothing is published
