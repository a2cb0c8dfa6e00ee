package lint_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
)

func ExampleRun() {
	file, err := definition.Parse("Dockerfile", []byte(`FROM debian:12
RUN curl -fsSL https://get.example.com/install.sh \
    | sh
USER 10001
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	findings, err := lint.Run(file, rules.All(), lint.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range findings {
		if f.Severity == finding.Error {
			fmt.Println(f.Place, f.Rule)
		}
	}
	fmt.Println(finding.Gate(findings, finding.Error))
	// Output:
	// Dockerfile:3:7 DF2001
	// Dockerfile:3:7: error: sh runs what curl downloads, unseen and unverified; download to a file, check its checksum, then run it (DF2001)
}

// A rule of one's own is a value; everything that it may look at is in the pass.
func ExampleRule() {
	noTelnet := lint.Rule{
		ID: "XY0001", Name: "no-telnet", Title: "telnet in a build",
		Group: lint.SupplyChain, Severity: finding.Error,
		Run: func(pass *lint.Pass) {
			for c := range pass.Commands("telnet") {
				pass.Report(c.NameWord(), "telnet sends everything in clear; use ssh").
					Fix("use ssh", lint.Replace(c.NameWord(), "ssh"))
			}
		},
	}
	file, err := definition.Parse("Dockerfile", []byte("FROM debian:12\nRUN sudo telnet example.com\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	findings, err := lint.Run(file, []lint.Rule{noTelnet}, lint.Config{})
	fmt.Println(findings[0], err)
	// Output:
	// Dockerfile:2:10: error: telnet sends everything in clear; use ssh (XY0001) <nil>
}

func ExampleFix() {
	file, err := definition.Parse("Dockerfile", []byte("FROM alpine:3.22\nRUN apk add curl # for the health check\nCMD app --serve\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fixed, _, err := lint.Fix(file, rules.All(), lint.Config{})
	fmt.Printf("%s%v\n", fixed.Src, err)
	// Output:
	// FROM alpine:3.22
	// RUN apk add --no-cache curl # for the health check
	// CMD ["app", "--serve"]
	// <nil>
}

// A suppression needs an end and a reason, and a rule that Ops lets be suppressed.
func ExampleConfig() {
	file, err := definition.Parse("Dockerfile", []byte(`FROM debian:12
# plimsoll:ignore DF5002 until=2027-01-31 the wrapper answers, see OPS-123
RUN apt-get update && apt-get install curl
USER 10001
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	findings, err := lint.Run(file, rules.All(), lint.Config{
		At:       time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
		Severity: map[string]finding.Severity{"DF5002": finding.Error},
		Disable:  []string{"DF5001", "DF5003", "DF5005"},
	})
	fmt.Println(findings, err)
	// Output:
	// [Dockerfile:3:31: error: apt-get install asks before it goes on, and nobody answers in a build; add --yes (DF5002) [suppressed: the wrapper answers, see OPS-123]] <nil>
}

func ExampleBaseline() {
	file, err := definition.Parse("Dockerfile", []byte("FROM debian\nUSER 10001\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	old, err := lint.Run(file, rules.All(), lint.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var baseline lint.Baseline
	baseline.Accept(file, old)
	var stored strings.Builder
	if err := baseline.Write(&stored); err != nil {
		fmt.Println(err)
		return
	}

	// Later: the old finding is on another line, and a new one has come.
	known, err := lint.ReadBaseline(strings.NewReader(stored.String()))
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err = definition.Parse("Dockerfile", []byte("# the service\nFROM debian\nADD app /app\nUSER 10001\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	findings, err := lint.Run(file, rules.All(), lint.Config{Baseline: known})
	for _, f := range findings {
		fmt.Fprintln(os.Stdout, f)
	}
	fmt.Println(err)
	// Output:
	// Dockerfile:2:6: warning: image "debian" has no tag, so it means latest; name a version or a digest (DF1101) [suppressed: known before]
	// Dockerfile:3:1: warning: ADD fetches URLs and unpacks archives; COPY says that local files are copied as they are (DF6002)
	// <nil>
}
