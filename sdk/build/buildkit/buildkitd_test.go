package buildkit_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/conformance"
)

// TestBuildkitd runs the suite against a real buildkitd, whose path is in PLIMSOLL_TEST_BUILDKITD.
func TestBuildkitd(t *testing.T) {
	path, missing := os.Getenv("PLIMSOLL_TEST_BUILDKITD"), ""
	if path == "" {
		missing = "PLIMSOLL_TEST_BUILDKITD is not set to the path of one"
	}
	testenv.Needs(t, "buildkitd", missing)
	testenv.NeedsRoot(t)
	dir := t.TempDir()
	socket := filepath.Join(dir, "sock")
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, "--root", filepath.Join(dir, "root"), "--addr", "unix://"+socket,
		"--oci-worker-net=host", "--allow-insecure-entitlement=network.host")
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // says that it was a signal
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b, err := buildkit.Dial(ctx, "unix://"+socket, buildkit.Options{})
	for tick := time.Tick(20 * time.Millisecond); err != nil && ctx.Err() == nil; <-tick {
		b, err = buildkit.Dial(ctx, "unix://"+socket, buildkit.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	t.Logf("%+v", b.Home())
	conformance.Test(t, b, conformance.Lacks{})
}
