package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/where"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// The remedies that people copy are good, and so are their conditions.
func TestExamplesOfRemedies(t *testing.T) {
	files, err := filepath.Glob("../remedy/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%v, %v", files, err)
	}
	compile := func(condition string) (fleet.Selector, error) {
		c, err := where.Compile(condition)
		if err != nil {
			return nil, err
		}
		return c.Prepare(t.Context(), lineage.NewMemory(), time.Now)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(file) == "rights.yaml" {
			if _, err := fleet.ParseRights(file, text, compile); err != nil {
				t.Error(err)
			}
			continue
		}
		r, err := fleet.Parse(file, text)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := compile(r.Where); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
