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
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/internal/conformance"
)

// TestAsOrdinaryUser runs the suite as a user without rights, in this binary run again.
func TestAsOrdinaryUser(t *testing.T) {
	testenv.NeedsUserNamespaces(t)
	if os.Geteuid() != 0 {
		conformance.Test(t, start(t, embedded.Options{State: t.TempDir()}), conformance.Lacks{Owners: true})
		return
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "ordinary-") // t.TempDir lies in a directory of root's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	bases, work := filepath.Join(dir, "bases"), filepath.Join(dir, "work")
	conformance.WriteBases(t, bases)
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(name, nobody, nobody))
	})
	if err != nil {
		t.Fatal(err)
	}
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
