package inside_test

import (
	"fmt"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/definition/internal/inside"
)

func TestForeign(t *testing.T) {
	for p, want := range map[string]bool{
		".": false, "app": false, "a/../b": false, "..": false, "github.com/x/y": false, // a directory may be called so
		"/etc": true, "~": true, "-": true, `a\b`: true, "C:": true, "https://x/y": true, "git@host:x": true, "target:base": true,
		"git://host/x": true,
	} {
		if got := inside.Foreign(p); got != want {
			t.Errorf("%s: %t, want %t", p, got, want)
		}
	}
}

func ExampleJoin() {
	fmt.Println(inside.Join("services/pay", "../lib"))
	fmt.Println(inside.Join("services/pay", "../../../lib"))
	// Output:
	// services/lib false
	// ../lib true
}

func ExampleRedact() {
	fmt.Println(inside.Redact("https://user:secret@host/path"))
	// Output: https://host/path
}
