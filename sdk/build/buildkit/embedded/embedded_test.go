//go:build linux

package embedded_test

import (
	"os/exec"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/embedded"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/conformance"
)

// start starts an engine in a state directory and closes it with the test.
func start(t testing.TB, opt embedded.Options) *embedded.Builder {
	t.Helper()
	b, err := embedded.Start(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func runc(t testing.TB) string {
	t.Helper()
	testenv.NeedsRoot(t)
	testenv.NeedsRunc(t)
	path, err := exec.LookPath("runc")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConformanceRunc(t *testing.T) {
	t.Parallel()
	conformance.Test(t, start(t, embedded.Options{Runc: runc(t), State: t.TempDir()}), conformance.Lacks{})
}

func TestConformanceNative(t *testing.T) {
	t.Parallel()
	conformance.Test(t, start(t, embedded.Options{Runc: runc(t), State: t.TempDir(), Snapshotter: embedded.Native}), conformance.Lacks{})
}

func TestConformanceOwnExecutor(t *testing.T) {
	t.Parallel()
	testenv.NeedsRoot(t)
	conformance.Test(t, start(t, embedded.Options{State: t.TempDir()}), conformance.Lacks{})
}
