# What keeps an image small, legible and maintainable. It holds for distroless images.
@hygiene
Feature: Hygiene of an image

  @description
  Scenario: It says what it is
    Then the image has the label "org.opencontainers.image.title"
    And the image has the label "org.opencontainers.image.source"
    And the image has the label "org.opencontainers.image.revision"

  @leftovers
  Scenario: No package manager left its caches
    Then the directory "/var/lib/apt/lists" is empty
    And the directory "/var/cache/apk" is empty
    And the directory "/var/cache/dnf" is empty
    And the directory "/var/cache/yum" is empty
    And no file matching "/var/cache/apt/**/*.deb" exists
    And no file matching "/root/.cache/**" exists
    And no file matching "/root/.npm/**" exists

  @leftovers
  Scenario: No source of the build is left
    Then no file matching any of these exists
      | **/.git              |
      | **/.svn              |
      | **/Dockerfile        |
      | **/docker-compose.y* |
      | **/.env              |
      | **/*.orig            |
      | **/core.[0-9]*       |

  @links
  Scenario: No link is broken
    Then no link is broken

  @layers
  Scenario: It has few layers
    Then the image has at most 40 layers

  @inheritance
  Scenario: It leaves nothing to images built from it
    Then the image leaves no instructions to images built from it
