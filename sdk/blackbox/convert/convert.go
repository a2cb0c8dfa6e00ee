// Package convert makes features of the test files of other image testers, for teams that come over: of
// container-structure-test (YAML and JSON, schema 1 and 2) and of goss.
//
//	converted, err := convert.StructureTest("tests/image.yaml", data)
//	os.WriteFile("features/image.feature", converted.Feature, 0o644)
//	for _, left := range converted.Left { ... }
//
// Nothing is dropped silently: every assertion is either a step of the feature or one of [Converted.Left], with its
// line and the reason. The feature names the file that it was made from.
//
// Both tools run commands in containers that are less locked than this one's: with a writable root, which the features
// ask for, and with a network and Docker's default capabilities, which they do not.
//
// Everything is safe for concurrent use. The API follows the module's version.
package convert

import (
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Converted is a feature that was made from another tool's file.
type Converted struct {
	// Feature is the content of a .feature file. It is empty when no assertion could be kept.
	Feature []byte
	// Kept is how many assertions became steps.
	Kept int
	// Left is what did not.
	Left []Left
}

// Left is something that was not converted.
type Left struct {
	Place finding.Place // in the file that was read
	What  string        // `command "apt": setup`
	Why   string
}

// String prints the place first.
func (l Left) String() string { return fmt.Sprintf("%s: %s: %s", l.Place, l.What, l.Why) }
