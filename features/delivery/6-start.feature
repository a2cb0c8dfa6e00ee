Feature: An image from a banned base is invalid, and checked just before it starts
  What was fine when it was built may be banned an hour later. Each host asks its own copy of the deny bundle, without a
  registry, and refuses what stands on a banned base, whatever it is called.

  Background:
    Given the base image "base/userland:1.4.8"
    And the base image "base/userland:1.4.9"
    And the image "team/app:1.0" was delivered on "base/userland:1.4.8"

  Scenario: It starts as long as its base is allowed
    When "team/app:1.0" is about to start
    Then it may start

  Scenario: It is refused once its base is banned, and the refusal says why and what to do
    Given Ops has banned "base/userland:1.4.8" in favour of "1.4.9"
    When "team/app:1.0" is about to start
    Then its start is refused because of "BAN-1"
    And the refusal says "a hole in the shell"
    And the way out is "1.4.9"

  Scenario: Another name does not help
    Given Ops has banned "base/userland:1.4.8" in favour of "1.4.9"
    And somebody has copied "team/app:1.0" to "innocent/thing:7"
    When "innocent/thing:7" is about to start
    Then its start is refused because of "BAN-1"

  Scenario: A host that reaches no registry refuses it all the same
    Given Ops has banned "base/userland:1.4.8" in favour of "1.4.9"
    And the host has "team/app:1.0"
    And the registry is down
    When the host's image is about to start
    Then its start is refused because of "BAN-1"

  Scenario: An image that nobody knows is refused
    Given somebody has pushed "stranger/thing:1"
    When "stranger/thing:1" is about to start
    Then its start is refused because of "does not know it"

  Scenario: A ban that was lifted is over
    Given Ops has banned "base/userland:1.4.8" in favour of "1.4.9"
    And Ops has lifted the ban
    When "team/app:1.0" is about to start
    Then it may start
