package inputs

import (
	"fmt"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Error is a definition whose inputs can't be told.
type Error struct {
	// Place is the word that names the image in question, or as much of a place as BuildKit gives.
	Place finding.Place
	// Platform and Ref are the image that could not be read; empty when it was not about an image.
	Platform string
	Ref      string
	// Err is the cause: the resolver's or BuildKit's.
	Err error
}

// Error begins with the place: "Dockerfile:3:6: image docker.io/library/debian:13 for linux/amd64: ...".
func (e *Error) Error() string {
	text := e.Err.Error()
	if e.Ref != "" && !strings.Contains(text, e.Ref) {
		text = fmt.Sprintf("image %s for %s: %s", e.Ref, e.Platform, text)
	}
	return e.Place.String() + ": " + text
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
