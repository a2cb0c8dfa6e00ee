//go:build ignore

// This program writes the rule index, README.md.
package main

import (
	"log"
	"os"

	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
)

func main() {
	if err := os.WriteFile("README.md", []byte(lint.Index(rules.All())), 0o644); err != nil {
		log.Fatal(err)
	}
}
