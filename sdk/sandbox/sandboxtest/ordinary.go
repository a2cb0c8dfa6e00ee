//go:build unix

package sandboxtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
)

// AsOrdinaryUser runs the tests of this package once more as a user who is nobody on this machine; if static is true, it
// builds them statically for that, as they are on a machine without a C compiler. The working directory must be the
// package's. It is skipped where user namespaces are not allowed, or when an ordinary user runs the tests already.
func AsOrdinaryUser(t *testing.T, static bool) {
	t.Helper()
	ids, err := os.ReadFile("/proc/self/uid_map")
	if err != nil || os.Geteuid() != 0 || strings.Join(strings.Fields(string(ids)), " ") != "0 0 4294967295" {
		t.Skip("the tests run as an ordinary user already, or as one who is root of a user namespace only")
	}
	testenv.NeedsUserNamespaces(t)
	const nobody = 65534
	dir, err := os.MkdirTemp("", "plimsoll-nobody-") //nolint:usetesting // t.TempDir lies where only root gets
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
	tests := "/proc/self/exe"
	if static {
		tests = buildTests(t, dir)
	}
	cmd := exec.CommandContext(t.Context(), tests, "-test.v="+strconv.FormatBool(testing.Verbose()))
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

func buildTests(t *testing.T, dir string) string {
	t.Helper()
	tests := filepath.Join(dir, "tests")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", tests, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the tests: %v\n%s", err, out)
	}
	return tests
}
