package blackbox_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
)

// scenarios makes a feature of as many scenarios with these steps.
func scenarios(n int, steps ...string) string {
	var b strings.Builder
	b.WriteString("Feature: F\n")
	for i := range n {
		fmt.Fprintf(&b, "  Scenario: %d\n    %s\n", i, strings.Join(steps, "\n    "))
	}
	return b.String()
}

func benchmark(b *testing.B, s blackbox.Suite, n int) {
	b.Helper()
	for b.Loop() {
		if err := run(b, s).Err(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N*n), "ms/scenario")
}

// BenchmarkFiles is 200 scenarios that read files of an image.
func BenchmarkFiles(b *testing.B) {
	benchmark(b, suite(b, scenarios(200, `Then the file "/etc/motd" contains "Welcome"`, `And the file "/etc/passwd" is not writable`)), 200)
}

// BenchmarkReading is 200 scenarios that only look at an instance, and so share one.
func BenchmarkReading(b *testing.B) {
	for name, start := range sandboxes {
		b.Run(name, func(b *testing.B) {
			s := suite(b, scenarios(200, "When an instance is started", `Then within 10 seconds "GET /health" on port 8080 answers 200`, "And the instance runs as a user other than root"))
			s.Runtime = start(b)
			benchmark(b, s, 200)
		})
	}
}

// BenchmarkWriting is 8 scenarios with an instance each.
func BenchmarkWriting(b *testing.B) {
	for name, start := range sandboxes {
		b.Run(name, func(b *testing.B) {
			s := suite(b, scenarios(8, "When an instance is started", "Then within 10 seconds port 8080 accepts connections", "And the instance stops within 10 seconds on SIGTERM"))
			s.Runtime = start(b)
			benchmark(b, s, 8)
		})
	}
}
