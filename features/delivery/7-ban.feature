Feature: A ban is one act
  Images on a banned base are replaced by themselves, rebased where that is as good as building again and built again where
  not. Their owners are told once. It ends when it is measured that all is safe.

  Background:
    Given the base image "base/userland:1.4.8"
    And the base image "base/userland:1.4.9"
    And the image "team/app:1.0" was delivered on "base/userland:1.4.8"
    And the image "team/tool:1.0" was delivered on "base/userland:1.4.8" with "RUN touch /built"

  Scenario: The preview says what a ban means, and changes nothing
    Given Ops writes a ban of "base/userland:1.4.8" in favour of "1.4.9" and does not publish it
    When Ops looks at the preview
    Then the preview has 1 image to rebase and 1 to build again
    And "team/app:1.0" still stands on "base/userland:1.4.8"
    When "team/app:1.0" is about to start
    Then it may start

  Scenario: Everything is replaced, and all is safe
    Given Ops writes a ban of "base/userland:1.4.8" in favour of "1.4.9" and does not publish it
    When the campaign has come to its end
    Then all is safe
    And "team/app:1.0" was rebased onto "base/userland:1.4.9"
    And "team/tool:1.0" was built again on "base/userland:1.4.9"
    And the images that were there before are there still, by their digests
    And each owner was told once
    When "team/app:1.0" is about to start
    Then it may start
    When the image that "team/app:1.0" was before is about to start
    Then its start is refused because of "BAN-1"

  Scenario: What still runs keeps it from being safe
    Given an instance of "team/app:1.0" runs
    And Ops writes a ban of "base/userland:1.4.8" in favour of "1.4.9" and does not publish it
    When the campaign has replaced all images
    Then it is not safe because of 1 instance
    When the instance is started anew
    And the campaign has come to its end
    Then all is safe
