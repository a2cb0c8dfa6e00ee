//go:build linux

package native_test

import (
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

// BenchmarkStart is the time from the call of Start to the return of Close, with the image unpacked.
func BenchmarkStart(b *testing.B) {
	rt := newRuntime(b)
	spec := sandbox.Spec{Image: sandboxtest.Image(b, v1.Config{}), Platform: sandboxtest.Platform(), Args: []string{"sleep"}}
	cycle := func() {
		i, err := rt.Start(b.Context(), spec)
		if err != nil {
			b.Fatal(err)
		}
		if err := i.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	cycle()
	for b.Loop() {
		cycle()
	}
}

// BenchmarkExec is the time of one command in a running instance.
func BenchmarkExec(b *testing.B) {
	rt := newRuntime(b)
	spec := sandbox.Spec{Image: sandboxtest.Image(b, v1.Config{}), Platform: sandboxtest.Platform(), Args: []string{"sleep"}}
	i, err := rt.Start(b.Context(), spec)
	if err != nil {
		b.Fatal(err)
	}
	defer i.Close(b.Context())
	for b.Loop() {
		if _, err := i.(sandbox.Execer).Exec(b.Context(), sandbox.Command{Args: []string{"/probe", "pid"}}); err != nil {
			b.Fatal(err)
		}
	}
}
