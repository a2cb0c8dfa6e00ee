//go:build linux

package container_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

// bench is a supervisor and a root with the probe in it.
type bench struct {
	*container.Supervisor
	root   string
	filter []byte
}

func newBench(tb testing.TB) *bench {
	tb.Helper()
	s, err := container.NewSupervisor(tb.Context(), container.Options{UserNamespace: container.NeedsUserNamespace()})
	if err != nil {
		if errors.Is(err, container.ErrUnavailable) && os.Getenv("PLIMSOLL_REQUIRE") == "" {
			tb.Skip(err)
		}
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	filter, err := container.DefaultFilter(0)
	if err != nil {
		tb.Fatal(err)
	}
	return &bench{s, newRoot(tb), filter}
}

func newRoot(tb testing.TB) string {
	tb.Helper()
	root := filepath.Join(tb.TempDir(), "root")
	for _, dir := range []string{root, filepath.Join(root, "tmp"), filepath.Join(root, "etc")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "probe"), sandboxtest.Probe(tb), 0o755); err != nil {
		tb.Fatal(err)
	}
	return root
}

// spec is a container of the kind that sandboxes use.
func (b *bench) spec(args ...string) container.Spec {
	return container.Spec{
		ID: "test", Root: b.root, ReadonlyRoot: true,
		Mounts:  []container.Mount{{Type: "tmpfs", Target: "/tmp", Options: []string{"mode=1777", "size=1m"}}},
		Process: container.Process{Args: append([]string{"/probe"}, args...), Env: []string{"PATH=/"}, Seccomp: b.filter},
	}
}

type output struct {
	Stdout, Stderr string
	Exit           container.Exit
}

// running is a process with its output.
type running struct {
	c      *container.Container
	out    bytes.Buffer
	errs   bytes.Buffer
	lines  chan string // of stdout
	copies sync.WaitGroup
}

func (b *bench) start(ctx context.Context, spec container.Spec) (*running, error) {
	r := &running{lines: make(chan string, 100)}
	stdio, begin := r.pipes()
	c, err := b.Start(ctx, spec, stdio)
	begin()
	r.c = c
	return r, err
}

// pipes returns the ends for the process, and what closes them here and reads the others.
func (r *running) pipes() (container.Stdio, func()) {
	out, outWriter, _ := os.Pipe()
	errs, errsWriter, _ := os.Pipe()
	return container.Stdio{Out: outWriter, Err: errsWriter}, func() {
		outWriter.Close()
		errsWriter.Close()
		r.copies.Go(func() {
			defer out.Close()
			defer close(r.lines)
			io.Copy(io.MultiWriter(&r.out, &lineWriter{lines: r.lines}), out)
		})
		r.copies.Go(func() {
			defer errs.Close()
			io.Copy(&r.errs, errs)
		})
	}
}

type lineWriter struct {
	lines chan string
	rest  string
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest += string(p)
	for {
		line, rest, ok := strings.Cut(w.rest, "\n")
		if !ok {
			return len(p), nil
		}
		select {
		case w.lines <- line:
		default:
		}
		w.rest = rest
	}
}

func (r *running) finish(ctx context.Context) (output, error) {
	exit, err := r.c.Wait(ctx)
	r.copies.Wait()
	return output{r.out.String(), r.errs.String(), exit}, errors.Join(err, r.c.Remove(ctx))
}

// run runs a container to its end.
func (b *bench) run(t *testing.T, spec container.Spec) output {
	t.Helper()
	r, err := b.start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	o, err := r.finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

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

func TestExec(t *testing.T) {
	b := newBench(t)
	spec := b.spec("sleep")
	spec.Hostname = "greeter"
	r, err := b.start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	process := spec.Process
	exec := func(args ...string) output {
		t.Helper()
		p := process
		p.Args = append([]string{"/probe"}, args...)
		r2 := &running{lines: make(chan string, 100)}
		stdio, begin := r2.pipes()
		x, err := r.c.Exec(t.Context(), p, stdio)
		begin()
		if err != nil {
			return output{Stderr: err.Error()}
		}
		exit, err := x.Wait(t.Context())
		if err != nil {
			t.Error(err)
		}
		r2.copies.Wait()
		return output{r2.out.String(), r2.errs.String(), exit}
	}
	if diff := cmp.Diff(output{Stdout: "greeter\n"}, exec("hostname")); diff != "" {
		t.Errorf("it is not in the container's host name (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(output{Exit: container.Exit{Code: 4}}, exec("exit", "4")); diff != "" {
		t.Errorf("exit code (-want +got)\n%s", diff)
	}
	o := exec("write", "/tmp/x", "text")
	if diff := cmp.Diff(output{}, o); diff != "" {
		t.Errorf("write (-want +got)\n%s", diff)
	}
	f, err := r.c.Open(t.Context(), "/tmp/x")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if data, err := io.ReadAll(f); err != nil || string(data) != "text" {
		t.Errorf("the file is %q, %v", data, err)
	}
	status := exec("cat", "/proc/self/status").Stdout
	for _, want := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, want) {
			t.Errorf("the status of the process lacks %q", want)
		}
	}
	process.UID, process.GID = 33, 44
	if o := exec("id"); o.Stdout != "33 44 []\n" {
		t.Errorf("another user: %+v", o)
	}
	if _, err := r.c.Exec(t.Context(), container.Process{Args: []string{"/missing"}}, container.Stdio{}); !container.IsExec(err) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing program: %v", err)
	}
	if err := r.c.Remove(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := r.c.Exec(t.Context(), process, container.Stdio{}); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("exec in a removed container: %v", err)
	}
}

func TestTerminal(t *testing.T) {
	b := newBench(t)
	spec := b.spec("sleep")
	r, err := b.start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	process := spec.Process
	process.Args, process.Terminal = []string{"/probe", "tty"}, true
	x, err := r.c.Exec(t.Context(), process, container.Stdio{})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(x.Terminal) // it ends with EIO
	if string(text) != "terminal of 0 rows and 0 columns\r\n" {
		t.Errorf("exec: %q", text)
	}
	x.Terminal.Close()
	if _, err := x.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	spec = b.spec("tty")
	spec.ID, spec.Process.Terminal = "second", true
	c, err := b.Start(t.Context(), spec, container.Stdio{})
	if err != nil {
		t.Fatal(err)
	}
	text, _ = io.ReadAll(c.Terminal)
	if string(text) != "terminal of 0 rows and 0 columns\r\n" {
		t.Errorf("start: %q", text)
	}
	c.Terminal.Close()
}
