package docker_test

import (
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

func newRuntime(t testing.TB) *docker.Runtime {
	t.Helper()
	testenv.NeedsDocker(t)
	rt, err := docker.New(t.Context(), docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	})
	return rt
}

func TestConformance(t *testing.T) {
	sandboxtest.Run(t, sandboxtest.Options{New: func(t *testing.T) sandbox.Runtime { return newRuntime(t) }})
}
