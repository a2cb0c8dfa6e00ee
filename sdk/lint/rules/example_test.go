package rules_test

import (
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
)

func ExampleAll() {
	file, err := definition.Parse("Dockerfile", []byte(`FROM node:22
ARG NPM_TOKEN
WORKDIR /app
COPY . .
RUN npm ci
USER node
CMD ["node", "server.js"]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	findings, err := lint.Run(file, rules.All(), lint.Config{})
	for _, f := range findings {
		fmt.Println(f)
	}
	fmt.Println(err)
	// Output:
	// Dockerfile:2:5: error: ARG NPM_TOKEN stays in the image's history for all to read; use RUN --mount=type=secret (DF3001)
	// Dockerfile:4:1: info: any change of any file installs all dependencies again; copy the lock file first, install, then copy the rest (DF6014)
	// Dockerfile:6:6: info: Kubernetes' runAsNonRoot refuses a user by name, for it can't tell that node is not root; write the number (DF4007)
	// <nil>
}
