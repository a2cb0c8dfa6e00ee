//go:build linux

package container_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

// TestInsideDocker runs some of the tests inside a Docker container, as a CI system might: there it either works, by other
// system calls than outside, or says what is missing.
func TestInsideDocker(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: an ordinary user may not speak to Docker, and is tried by a test of its own")
	}
	testenv.NeedsDocker(t)
	if _, err := exec.LookPath("docker"); err != nil {
		testenv.Needs(t, "docker", err.Error())
	}
	dir := t.TempDir()
	tests := filepath.Join(dir, "tests")
	run := func(name string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "probe"), sandboxtest.Probe(t), 0o755), os.Mkdir(filepath.Join(dir, "tmp"), 0o755),
		os.Chmod(filepath.Join(dir, "tmp"), 0o1777),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	archive := filepath.Join(t.TempDir(), "image.tar")
	for _, command := range [][]string{
		{"go", "test", "-c", "-o", tests, "."}, {"tar", "-C", dir, "-cf", archive, "."},
	} {
		if out, err := run(command[0], command[1:]...); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	image, err := run("docker", "import", archive)
	if err != nil {
		t.Fatal(image, err)
	}
	image = strings.TrimSpace(image)
	t.Cleanup(func() {
		if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "docker", "rmi", image).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	cases := []struct {
		name    string
		options []string
		want    string // in the output
	}{
		{"root without capabilities", nil, "this is root without CAP_SYS_ADMIN, as in a container"},
		{"another user", []string{"--user=1000"}, "the kernel or a sandbox around this process forbids it; run as root, or use Docker"},
		{"another user, with Docker's masks", []string{"--user=1000", "--security-opt=seccomp=unconfined"}, "mount /proc: operation not permitted, because something hides parts of it"},
		{"another user, without them", []string{"--user=1000", "--security-opt=seccomp=unconfined", "--security-opt=systempaths=unconfined"}, "--- PASS: TestAttacks"},
		{"root with capabilities, where pivot_root is blocked", []string{"--cap-add=SYS_ADMIN", "--cap-add=NET_ADMIN"}, "--- PASS: TestAttacks"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"run", "--rm", "--env=PLIMSOLL_PROBE=/probe"}, c.options...)
			out, err := run("docker", append(args, image, "/tests", "-test.v", "-test.run=^Test(Process|Exec|Terminal|Attacks|Devices|Mounts|Signals)$")...)
			if err != nil || !strings.Contains(out, c.want) {
				t.Errorf("%v, want %q in\n%s", err, c.want, out)
			}
		})
	}
}
