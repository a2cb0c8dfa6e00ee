//go:build linux

package embedded_test

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/embedded"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/conformance"
)

// BenchmarkStart is a start in a state directory that is not new, and a close.
func BenchmarkStart(b *testing.B) {
	testenv.NeedsRoot(b)
	state := b.TempDir()
	for b.Loop() {
		e, err := embedded.Start(b.Context(), embedded.Options{State: state})
		if err != nil {
			b.Fatal(err)
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWarm is a build of which every step is cached.
func BenchmarkWarm(b *testing.B) {
	testenv.NeedsRoot(b)
	e := start(b, embedded.Options{State: b.TempDir()})
	req := request(b, conformance.Userland(b, "1.4.8"))
	layouts := b.TempDir()
	for n := 0; b.Loop(); n++ {
		req.Layout = filepath.Join(layouts, strconv.Itoa(n))
		if _, err := e.Build(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}
