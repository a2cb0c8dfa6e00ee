package results_test

import (
	"log"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/results"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

func ExamplePretty() {
	v := &blackbox.Verdict{
		Reference: "registry.example/pay:1", Duration: 2 * time.Millisecond,
		Platforms: []blackbox.PlatformResult{{Platform: "linux/amd64", Digest: v1.Hash{Algorithm: "sha256", Hex: "b1"}, Scenarios: []blackbox.ScenarioResult{{
			Feature: "The payment service", Name: "It runs as nobody", Status: blackbox.Failed, Duration: time.Millisecond,
			Place: finding.Place{File: "pay.feature", Start: finding.Position{Line: 2, Column: 3}},
			Steps: []blackbox.StepResult{{
				Keyword: "Then", Text: "the image runs as a user other than root", Status: blackbox.Failed,
				Place:    finding.Place{File: "pay.feature", Start: finding.Position{Line: 3, Column: 5}},
				Expected: "a user other than root", Found: "no user, which means root",
			}},
		}}}},
	}
	if err := results.Pretty(os.Stdout, v, results.Options{}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// registry.example/pay:1
	// linux/amd64  sha256:b1
	//
	// Feature: The payment service  pay.feature
	//   ✗ It runs as nobody  1ms
	//     ✗ Then the image runs as a user other than root
	//       pay.feature:3:5
	//       expected  a user other than root
	//       found     no user, which means root
	//
	// FAILED  1 scenario: 1 failed  2ms
}
