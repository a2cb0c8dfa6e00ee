//go:build unix

package sandboxtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
)

// AsOrdinaryUser builds the tests of the package in the working directory statically, as they are on a machine without a
// C compiler, and runs those that match the pattern (as go test's -run) as a user who is nobody on this machine. It is
// skipped where user namespaces are not allowed, or when nobody runs the tests already.
func AsOrdinaryUser(t *testing.T, pattern string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("the tests run as an ordinary user already")
	}
	testenv.NeedsUserNamespaces(t)
	const nobody = 65534
	dir, err := os.MkdirTemp("", "plimsoll-nobody-") // t.TempDir lies where only root gets
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	probe := filepath.Join(dir, "probe")
	for _, err := range []error{os.WriteFile(probe, Probe(t), 0o755), os.Chown(dir, nobody, nobody)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tests := filepath.Join(dir, "tests")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", tests, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the tests: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), tests, "-test.run="+pattern, "-test.v="+strconv.FormatBool(testing.Verbose()))
	cmd.Env = append(os.Environ(), "PLIMSOLL_PROBE="+probe, "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || testing.Verbose() {
		t.Logf("as user %d:\n%s", nobody, out)
	}
	if err != nil {
		t.Error(err)
	}
}
