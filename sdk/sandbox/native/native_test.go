//go:build linux

package native_test

import (
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/native"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

func newRuntime(t testing.TB) *native.Runtime {
	t.Helper()
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
}

func TestConformance(t *testing.T) {
	sandboxtest.Run(t, sandboxtest.Options{New: func(t *testing.T) sandbox.Runtime { t.Helper(); return newRuntime(t) }})
}

func TestAsOrdinaryUser(t *testing.T) { sandboxtest.AsOrdinaryUser(t, true) }
