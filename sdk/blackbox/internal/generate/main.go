// Generate writes the files that are made from the table of steps into the current directory.
package main

import (
	"fmt"
	"os"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/stepdoc"
)

func main() {
	for name, content := range map[string][]byte{
		"STEPS.md": stepdoc.Markdown(blackbox.Steps()),
		"steps.js": stepdoc.Glue(blackbox.Steps()),
	} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
}
