package sandboxtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// Probe returns the test program, a static binary for this machine, which is built once per process. What it can do is
// written in testdata/probe; where there is no Go toolchain, PLIMSOLL_PROBE names a built one.
func Probe(tb testing.TB) []byte {
	tb.Helper()
	data, err := probe()
	if err != nil {
		tb.Fatalf("the probe: %v", err)
	}
	return data
}

var probe = sync.OnceValues(func() ([]byte, error) {
	if path := os.Getenv("PLIMSOLL_PROBE"); path != "" {
		return os.ReadFile(path)
	}
	dir, err := os.MkdirTemp("", "plimsoll-probe-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	_, here, _, _ := runtime.Caller(0)
	path := filepath.Join(dir, "probe")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, ".")
	cmd.Dir = filepath.Join(filepath.Dir(here), "testdata", "probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return os.ReadFile(path)
})
