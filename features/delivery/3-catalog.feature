Feature: Only base images from the catalog
  Ops keeps a small catalog of base images. What is not in it can't be built on, however it is written.

  Background:
    Given the base image "base/userland:1.4.9"
    And the base image "contrib/toolbox:7"
    And a catalog
      """
      version: 1
      owner: base-images@example.com
      bases: [{repository: HOST/base/userland, versions: ">=1.4.9 <2"}]
      """

  Scenario Outline: A base that is not listed is refused where it is named
    Given a repository with the file "Dockerfile"
      """
      ARG VENDOR=HOST/contrib
      FROM HOST/base/userland:1.4.9 AS base
      <line>
      """
    And everything is committed
    When the definition is delivered
    Then it is refused by the rule "DF1001" at "<place>"
    And nothing is built
    And nothing is published

    Examples:
      | line                                                                                   | place            |
      | FROM HOST/contrib/toolbox:7                                                            | Dockerfile:3:6   |
      | FROM ${VENDOR}/toolbox:7                                                               | Dockerfile:3:6   |
      | COPY --from=HOST/contrib/toolbox:7 /bin/userland /tool                                 | Dockerfile:3:13  |
      | RUN --mount=type=bind,from=HOST/contrib/toolbox:7,target=/t cp /t/bin/userland /tool   | Dockerfile:3:28  |

  Scenario: An exception belongs to one project, and is on record
    Given the catalog also says
      """
      exceptions:
        - id: legacy
          project: {repository: PROJECT}
          scope: {image: {repository: HOST/contrib/toolbox, tags: ["7"]}}
          reason: no other image has the driver
          owner: pay@example.com
          approver: ops@example.com
          until: 2999-12-31
      """
    And a repository with the file "Dockerfile"
      """
      FROM HOST/contrib/toolbox:7
      USER 65534:65534
      """
    And everything is committed
    When the definition is delivered without publishing
    Then the image is built
    And the exception "legacy" was used

  Scenario: An exception that has ended helps nobody
    Given the catalog also says
      """
      exceptions:
        - id: legacy
          project: {repository: PROJECT}
          scope: {image: {repository: HOST/contrib/toolbox, tags: ["7"]}}
          reason: no other image has the driver
          owner: pay@example.com
          approver: ops@example.com
          until: 2020-12-31
      """
    And a repository with the file "Dockerfile"
      """
      FROM HOST/contrib/toolbox:7
      """
    And everything is committed
    When the definition is delivered
    Then it is refused by the rule "DF1001" at "Dockerfile:1:6"
    And nothing is published
