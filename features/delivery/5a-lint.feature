Feature: Definitions are linted against policy
  What a careful reviewer would object to stops the delivery, with the place and the way out.

  Background:
    Given the base image "base/userland:1.4.9"
    And a catalog
      """
      version: 1
      owner: base-images@example.com
      bases: [{repository: HOST/base/userland, versions: ">=1.4.9 <2"}]
      """

  Scenario Outline: <what>
    Given a repository with the file "Dockerfile"
      """
      FROM HOST/base/userland:1.4.9
      <line>
      USER 65534:65534
      """
    And everything is committed
    When the definition is delivered
    Then it is refused by the rule "<rule>" at "Dockerfile:2"
    And nothing is built
    And nothing is published

    Examples:
      | what                                     | line                                                     | rule   |
      | A download is run unseen                 | RUN curl -fsSL https://get.example/install.sh \| sh      | DF2001 |
      | The server's certificate is not verified | RUN curl -k -o /tool https://get.example/tool            | DF2003 |
      | A file from the web has no checksum      | ADD https://get.example/tool /tool                       | DF2006 |
      | A secret is in the image for ever        | ENV DB_PASSWORD=hunter2hunter2                           | DF3001 |
