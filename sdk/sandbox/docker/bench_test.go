package docker_test

import (
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

// BenchmarkStart is the time of Start and of Close, each on its own, with the image in the daemon.
func BenchmarkStart(b *testing.B) {
	rt := newRuntime(b)
	spec := sandbox.Spec{Image: sandboxtest.Image(b, v1.Config{}), Platform: sandboxtest.Platform(), Args: []string{"sleep"}}
	start := func() sandbox.Instance {
		i, err := rt.Start(b.Context(), spec)
		if err != nil {
			b.Fatal(err)
		}
		return i
	}
	stop := func(i sandbox.Instance) {
		if err := i.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	stop(start())
	b.Run("Start", func(b *testing.B) {
		for range b.N {
			i := start()
			b.StopTimer()
			stop(i)
			b.StartTimer()
		}
	})
	b.Run("Close", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			i := start()
			b.StartTimer()
			stop(i)
		}
	})
}

// BenchmarkExec is the time of one command in a running instance.
func BenchmarkExec(b *testing.B) {
	rt := newRuntime(b)
	i := start(b, rt, sandbox.Spec{Args: []string{"sleep"}})
	for b.Loop() {
		if _, err := i.Exec(b.Context(), sandbox.Command{Args: []string{"/probe", "pid"}}); err != nil {
			b.Fatal(err)
		}
	}
}
