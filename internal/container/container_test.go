//go:build linux

package container_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/internal/container"
)

func TestProcess(t *testing.T) {
	b := newBench(t)
	tests := []struct {
		name string
		spec func(*container.Spec)
		args []string
		want output
	}{
		{"its output", nil, []string{"print", "one", "two"}, output{Stdout: "one\n", Stderr: "two\n"}},
		{"its exit code", nil, []string{"exit", "9"}, output{Exit: container.Exit{Code: 9}}},
		{
			"its environment is what the spec says", func(s *container.Spec) { s.Process.Env = []string{"A=1", "B=two words"} },
			[]string{"env"},
			output{Stdout: "A=1\nB=two words\n"},
		},
		{"its directory", func(s *container.Spec) { s.Process.Dir = "/tmp" }, []string{"cwd"}, output{Stdout: "/tmp\n"}},
		{"its host name", func(s *container.Spec) { s.Hostname = "greeter" }, []string{"hostname"}, output{Stdout: "greeter\n"}},
		{"root by default", nil, []string{"id"}, output{Stdout: "0 0 []\n"}},
		{
			"found in PATH", func(s *container.Spec) { s.Process.Args[0] = "probe"; s.Process.Env = []string{"PATH=/etc:/"} },
			[]string{"id"},
			output{Stdout: "0 0 []\n"},
		},
		{"no files but its own", nil, []string{"files"}, output{Stdout: "0 /dev/null\n1 pipe\n2 pipe\n"}},
		{"a resource limit", func(s *container.Spec) {
			s.Process.Rlimits = []container.Rlimit{{Resource: syscall.RLIMIT_CORE, Soft: 77, Hard: 88}}
		}, []string{"core-limit"}, output{Stdout: "77 88\n"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := b.spec(test.args...)
			if test.spec != nil {
				test.spec(&spec)
			}
			if diff := cmp.Diff(test.want, b.run(t, spec)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestUser(t *testing.T) {
	b := newBench(t)
	spec := b.spec("id")
	spec.Process.UID, spec.Process.GID = 1234, 2345
	want := "1234 2345 [77 88]\n"
	if b.SingleID() {
		want = "1234 2345 []\n"
	} else {
		spec.Process.Groups = []int{77, 88}
	}
	if diff := cmp.Diff(output{Stdout: want}, b.run(t, spec)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestProgramsThatCannotBeExecuted(t *testing.T) {
	b := newBench(t)
	for name, content := range map[string]string{"plain": "text", "script": "#!/no/such/shell\n"} {
		mode := os.FileMode(0o755)
		if name == "plain" {
			mode = 0o644
		}
		if err := os.WriteFile(filepath.Join(b.root, name), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name, program, want string
		errno               error
	}{
		{"missing", "/missing", "exec /missing: no such file or directory", syscall.ENOENT},
		{"not in PATH", "missing", "exec missing: no such file or directory", syscall.ENOENT},
		{"not executable", "/plain", "exec /plain: permission denied", syscall.EACCES},
		{"interpreter missing", "/script", "exec /script: no such file or directory", syscall.ENOENT},
		{"a directory", "/tmp", "exec /tmp: permission denied", syscall.EACCES},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := b.spec()
			spec.Process.Args = []string{test.program}
			_, err := b.start(t.Context(), spec)
			if err == nil || err.Error() != test.want || !errors.Is(err, test.errno) || !container.IsExec(err) {
				t.Errorf("got %v (exec: %v), want %q", err, container.IsExec(err), test.want)
			}
		})
	}
}

func TestBadSpecs(t *testing.T) {
	b := newBench(t)
	if err := os.Symlink("/etc", filepath.Join(b.root, "dev")); err != nil {
		t.Fatal(err)
	}
	other := *b
	other.root = newRoot(t)
	tests := []struct {
		name string
		b    *bench
		spec func(*container.Spec)
		want string
	}{
		{"an image whose /dev is a link", b, func(*container.Spec) {}, "mount on /dev: the image has a symbolic link there; it must be a directory"},
		{"no such root", &other, func(s *container.Spec) { s.Root = "/no/such" }, "mount /no/such: no such file or directory"},
		{
			"no such source", &other, func(s *container.Spec) {
				s.Mounts = []container.Mount{{Type: "bind", Source: "/no/such", Target: "/x"}}
			},
			"open /no/such to mount it on /x: no such file or directory",
		},
		{
			"unknown mount", &other, func(s *container.Spec) { s.Mounts = []container.Mount{{Type: "nfs", Target: "/x"}} },
			"mount nfs on /x: this type of mount is not known; use bind or tmpfs",
		},
		{"no such directory", &other, func(s *container.Spec) { s.Process.Dir = "/no/such" }, "change to directory /no/such: no such file or directory"},
		{"no arguments", &other, func(s *container.Spec) { s.Process.Args = nil }, "start test: the process has no arguments"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := test.b.spec("id")
			test.spec(&spec)
			_, err := test.b.start(t.Context(), spec)
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if container.IsExec(err) {
				t.Error("it counts as a failure of the program")
			}
		})
	}
}

func TestTwoContainersCannotHaveOneID(t *testing.T) {
	b := newBench(t)
	r, err := b.start(t.Context(), b.spec("sleep"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.start(t.Context(), b.spec("sleep")); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("got %v, want EEXIST", err)
	}
	if err := r.c.Signal(t.Context(), syscall.SIGKILL); err != nil { // the first one still runs
		t.Error(err)
	}
	o, err := r.finish(t.Context())
	if diff := cmp.Diff(container.Exit{Code: 137, Signal: syscall.SIGKILL}, o.Exit); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestSignals(t *testing.T) {
	b := newBench(t)
	tests := []struct {
		program string
		signal  syscall.Signal
		want    container.Exit
	}{
		{"polite", syscall.SIGTERM, container.Exit{Code: 7}},
		{"sleep", syscall.SIGKILL, container.Exit{Code: 137, Signal: syscall.SIGKILL}},
		{"sleep", syscall.SIGTERM, container.Exit{Code: 2}}, // a Go program ends itself
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s gets %d", test.program, test.signal), func(t *testing.T) {
			r, err := b.start(t.Context(), b.spec(test.program))
			if err != nil {
				t.Fatal(err)
			}
			if line := <-r.lines; line != "ready" {
				t.Fatalf("got %q", line)
			}
			if err := r.c.Signal(t.Context(), test.signal); err != nil {
				t.Error(err)
			}
			o, err := r.finish(t.Context())
			if diff := cmp.Diff(test.want, o.Exit); err != nil || diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
			if err := r.c.Signal(t.Context(), test.signal); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("signal to a removed container: %v", err)
			}
		})
	}
}
