//go:build linux

package embedded_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/embedded"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/conformance"
)

// TestAsOrdinaryUser runs the suite as a user without rights, in this binary run again.
func TestAsOrdinaryUser(t *testing.T) {
	t.Parallel()
	testenv.NeedsUserNamespaces(t)
	if os.Geteuid() != 0 {
		conformance.Test(t, start(t, embedded.Options{State: t.TempDir()}), conformance.Lacks{Owners: true})
		return
	}
	const nobody = 65534
	bases, work := t.TempDir(), t.TempDir()
	conformance.WriteBases(t, bases)
	open(t, bases, nobody)
	open(t, work, nobody)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestAsOrdinaryUser$", "-test.v")
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "TMPDIR="+work, "HOME="+work, conformance.BasesEnv+"="+bases)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || strings.Contains(string(out), "--- SKIP: TestAsOrdinaryUser ") {
		t.Errorf("as user %d: %v", nobody, err)
	}
}

// open gives a directory of t.TempDir and all in it to a user, and lets the user into what is above it.
func open(t testing.TB, dir string, user int) string {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(name, user, user))
	})
	if err == nil {
		err = os.Chmod(filepath.Dir(dir), 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
