// Package sandboxtest tests implementations of [sandbox.Runtime]: every one of them runs the same [Run].
package sandboxtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// BuildProbe builds the test program, a static binary, and returns its path. What it can do is written in
// testdata/probe.
func BuildProbe(tb testing.TB) string {
	tb.Helper()
	_, here, _, _ := runtime.Caller(0)
	path := filepath.Join(tb.TempDir(), "probe")
	cmd := exec.CommandContext(tb.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, ".")
	cmd.Dir = filepath.Join(filepath.Dir(here), "testdata", "probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build the probe: %v\n%s", err, out)
	}
	return path
}
