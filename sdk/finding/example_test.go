package finding_test

import (
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

func Example() {
	findings := finding.Sort([]finding.Finding{
		{
			Rule:     "DF3003",
			Severity: finding.Warning,
			Place:    finding.Place{File: "Dockerfile"},
			Message:  "no HEALTHCHECK",
		},
		{
			Rule:     "DF1001",
			Severity: finding.Error,
			Place:    finding.Place{File: "Dockerfile", Start: finding.Position{Line: 1, Column: 6, Offset: 5}},
			Message:  `base image "debian:12" is not in the catalog`,
		},
	})
	for _, f := range findings {
		fmt.Println(f)
	}
	if err := finding.Gate(findings, finding.Error); err != nil {
		fmt.Println("refused:", err)
	}
	// Output:
	// Dockerfile: warning: no HEALTHCHECK (DF3003)
	// Dockerfile:1:6: error: base image "debian:12" is not in the catalog (DF1001)
	// refused: Dockerfile:1:6: error: base image "debian:12" is not in the catalog (DF1001)
}
