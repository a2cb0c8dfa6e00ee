package linttest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/linttest"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
)

const telnetPage = "# XY0001 no-telnet\n\n" +
	"## What\n\n`telnet` in a RUN.\n\n" +
	"## Why\n\nIt sends everything in clear.\n\n" +
	"## Bad\n\n```dockerfile\nFROM debian:12\nRUN telnet example.com\n```\n\n" +
	"## Good\n\n```dockerfile\nFROM debian:12\nRUN ssh example.com\n```\n\n" +
	"## Configuration\n\nNothing.\n\n" +
	"## Also known as\n\nNothing.\n"

var noTelnet = lint.Rule{
	ID: "XY0001", Name: "no-telnet", Title: "telnet in a build", Doc: telnetPage,
	Group: lint.SupplyChain, Severity: finding.Error, Fixes: true,
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands("telnet") {
			pass.Report(c.NameWord(), "telnet sends everything in clear; use ssh").
				Fix("use ssh", lint.Replace(c.NameWord(), "ssh"))
		}
	},
}

// TestNoTelnet is what the test of a rule of one's own looks like.
func TestNoTelnet(t *testing.T) {
	linttest.Run(t, "testdata", []lint.Rule{noTelnet}, linttest.Options{With: rules.All()})
}

// A test calls Run, which also checks what Validate does: that the rule's page is complete.
func ExampleRun() {
	// linttest.Run(t, "testdata", []lint.Rule{noTelnet}, linttest.Options{With: rules.All()})
	broken := noTelnet
	broken.Doc = strings.Replace(telnetPage, "## Why", "## Because", 1)
	fmt.Println(lint.Validate([]lint.Rule{noTelnet}))
	fmt.Println(lint.Validate([]lint.Rule{broken}))
	// Output:
	// <nil>
	// rule XY0001 no-telnet: the page has no section "Why", or not in its place
}
