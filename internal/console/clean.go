package console

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Clean makes the control characters of a text visible, line breaks and tabs aside: what a definition or a registry says
// must not steer the terminal of who reads it.
func Clean(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			fmt.Fprintf(&b, "\\x%02x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// ExitCode is what a program ends with: 1 for an answer that stops at the gate (findings, a test that did not pass), 2 for
// a question that could not be answered.
func ExitCode(err error) int {
	_, gate := errors.AsType[*finding.GateError](err)
	_, failed := errors.AsType[*blackbox.FailedError](err)
	_, untested := errors.AsType[*blackbox.UntestedError](err)
	switch {
	case err == nil:
		return 0
	case gate || failed || untested:
		return 1
	default:
		return 2
	}
}
