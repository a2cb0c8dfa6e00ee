package blackbox_test

import (
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/native"
)

// sandboxes are the real ones, where this machine has them.
var sandboxes = map[string]func(t testing.TB) sandbox.Runtime{
	"docker": func(t testing.TB) sandbox.Runtime {
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
	},
	"embedded": func(t testing.TB) sandbox.Runtime {
		t.Helper()
		testenv.NeedsRoot(t)
		rt, err := native.New(t.Context(), native.Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := rt.Close(); err != nil {
				t.Error(err)
			}
		})
		return rt
	},
}

// TestExamplesInSandboxes runs the example of every step in the real sandboxes.
func TestExamplesInSandboxes(t *testing.T) {
	for name, start := range sandboxes {
		t.Run(name, func(t *testing.T) {
			s := suite(t, exampleFeature(blackbox.Steps()))
			s.Runtime = start(t)
			v := run(t, s)
			if err := v.Err(); err != nil {
				t.Error(err)
			}
			t.Logf("%d scenarios in %s", len(v.Platforms[0].Scenarios), v.Duration)
		})
	}
}
