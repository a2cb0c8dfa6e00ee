package sandboxtest

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

func (s *suite) process(t *testing.T) {
	img := Image(t, v1.Config{})
	tests := []struct {
		name string
		spec sandbox.Spec
		want sandbox.Logs
	}{
		{"output", sandbox.Spec{Args: []string{"print", "one", "two"}}, sandbox.Logs{Stdout: []byte("one\n"), Stderr: []byte("two\n")}},
		{"entrypoint", sandbox.Spec{Entrypoint: []string{"/probe", "print"}, Args: []string{"a", "b"}}, sandbox.Logs{Stdout: []byte("a\n"), Stderr: []byte("b\n")}},
		{"user", sandbox.Spec{Args: []string{"id"}, User: "1234:2345"}, sandbox.Logs{Stdout: []byte("1234 2345 []\n")}},
		{"directory", sandbox.Spec{Args: []string{"cwd"}, Dir: "/tmp"}, sandbox.Logs{Stdout: []byte("/tmp\n")}},
		{"host name", sandbox.Spec{Args: []string{"hostname"}, Name: "greeter"}, sandbox.Logs{Stdout: []byte("greeter\n")}},
		{"default host name", sandbox.Spec{Args: []string{"hostname"}}, sandbox.Logs{Stdout: []byte("instance\n")}},
		{"it is PID 1", sandbox.Spec{Args: []string{"pid"}}, sandbox.Logs{Stdout: []byte("1\n")}},
		{"it gets no files", sandbox.Spec{Args: []string{"files"}}, sandbox.Logs{Stdout: []byte("0 /dev/null\n1 pipe\n2 pipe\n")}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.spec.Image = img
			exit, logs := s.run(t, test.spec)
			if diff := cmp.Diff(sandbox.Exit{}, exit); diff != "" {
				t.Errorf("exit (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(text(test.want), text(logs)); diff != "" {
				t.Errorf("logs (-want +got)\n%s", diff)
			}
		})
	}
}

// text makes logs comparable: nil and empty are the same.
func text(l sandbox.Logs) [2]string { return [2]string{string(l.Stdout), string(l.Stderr)} }

func (s *suite) config(t *testing.T) {
	img := Image(t, v1.Config{
		Entrypoint: []string{"/probe"}, Cmd: []string{"env"}, Env: []string{"FROM=image", "BOTH=image"}, User: "app", WorkingDir: "/work/here",
	}, []File{
		{Header: tar.Header{Name: "etc/passwd"}, Content: "root:x:0:0::/root:/bin/sh\napp:x:77:88::/home/app:/bin/sh\n"},
		{Header: tar.Header{Name: "etc/group"}, Content: "root:x:0:\napp:x:88:\nextra:x:99:app\n"},
	})
	_, logs := s.run(t, sandbox.Spec{Image: img, Env: []string{"BOTH=spec", "NEW=spec"}})
	got := map[string]string{}
	for line := range strings.Lines(string(logs.Stdout)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		got[name] = value
	}
	want := map[string]string{
		"FROM": "image", "BOTH": "spec", "NEW": "spec", "HOME": "/home/app", "HOSTNAME": "instance",
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got)\n%s%s", diff, logs.Stderr)
	}
	_, logs = s.run(t, sandbox.Spec{Image: img, Args: []string{"cwd"}})
	if got := string(logs.Stdout); got != "/work/here\n" {
		t.Errorf("the working directory is %q", got)
	}
	_, logs = s.run(t, sandbox.Spec{Image: img, Args: []string{"id"}})
	if got := string(logs.Stdout); got != "77 88 [88 99]\n" && got != "77 88 [99]\n" && got != "77 88 []\n" { // the last where there is one id only
		t.Errorf("the user is %q", got)
	}
}

func (s *suite) badSpecs(t *testing.T) {
	img := Image(t, v1.Config{})
	nothing := Image(t, v1.Config{Entrypoint: []string{}})
	tests := []struct {
		name string
		spec sandbox.Spec
		want string // part of the error
	}{
		{"no image", sandbox.Spec{Platform: Platform()}, "image"},
		{"no platform", sandbox.Spec{Image: img}, "platform"},
		{"nothing to run", sandbox.Spec{Image: nothing, Platform: Platform()}, "entrypoint"},
		{"no such program", sandbox.Spec{Image: img, Platform: Platform(), Entrypoint: []string{"/missing"}}, "/missing"},
		{"no such user", sandbox.Spec{Image: img, Platform: Platform(), User: "nobody-knows"}, "nobody-knows"},
		{"no such capability", sandbox.Spec{Image: img, Platform: Platform(), Capabilities: []string{"FLY"}}, "FLY"},
		{"relative file", sandbox.Spec{Image: img, Platform: Platform(), Files: map[string][]byte{"x": nil}}, `"x"`},
		{"relative tmpfs", sandbox.Spec{Image: img, Platform: Platform(), Tmpfs: []string{"x"}}, `"x"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			i, err := s.rt.Start(t.Context(), test.spec)
			if err == nil {
				_ = i.Close(t.Context())
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v\ndoes not mention %s", err, test.want)
			}
		})
	}
	if p, ok := s.rt.(sandbox.PlatformRuntime); ok {
		if err := p.CanRun(t.Context(), Platform()); err != nil {
			t.Errorf("this machine's platform: %v", err)
		}
		if err := p.CanRun(t.Context(), "linux/mips64le"); err != nil && !errors.Is(err, sandbox.ErrUnsupported) {
			t.Errorf("another platform: %v does not wrap ErrUnsupported", err)
		}
	}
}

func (s *suite) exit(t *testing.T) {
	exit, _ := s.run(t, sandbox.Spec{Image: Image(t, v1.Config{}), Args: []string{"exit", "9"}})
	if diff := cmp.Diff(sandbox.Exit{Code: 9}, exit); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func (s *suite) signal(t *testing.T) {
	img := Image(t, v1.Config{})
	tests := []struct {
		name    string
		program string
		signal  syscall.Signal
		want    sandbox.Exit
	}{
		{"a handler runs", "polite", syscall.SIGTERM, sandbox.Exit{Code: 7}},
		{"kill", "stubborn", syscall.SIGKILL, sandbox.Exit{Code: 137, Signal: 9}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			i := s.start(t, sandbox.Spec{Image: img, Args: []string{test.program}})
			ready(t, i, "ready")
			if err := as[sandbox.Signaler](t, i).Signal(t.Context(), int(test.signal)); err != nil {
				t.Fatal(err)
			}
			exit, err := i.Wait(t.Context())
			if diff := cmp.Diff(test.want, exit); err != nil || diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
			if err := as[sandbox.Signaler](t, i).Signal(t.Context(), 15); !errors.Is(err, os.ErrProcessDone) {
				t.Errorf("a signal to an ended process: %v, want os.ErrProcessDone", err)
			}
		})
	}
}

func (s *suite) restart(t *testing.T) {
	img := Image(t, v1.Config{})
	i := s.start(t, sandbox.Spec{Image: img, Args: []string{"serve", "8080"}, WritableRoot: true})
	ask(t, i, "/write?/kept")
	ask(t, i, "/write?/tmp/lost")
	began := time.Now()
	if err := as[sandbox.Restarter](t, i).Restart(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 45*time.Second {
		t.Errorf("it took %s, though the process ends on SIGTERM", took)
	}
	if got := ask(t, i, "/read?/kept"); !strings.HasSuffix(got, "written\n") {
		t.Errorf("the file in the root is gone: %q", got)
	}
	logs, err := i.Logs(t.Context())
	if n := strings.Count(string(logs.Stdout), "listening on 8080\n"); err != nil || n != 2 {
		t.Errorf("%d lines of two lives in the log, %v: %q", n, err, logs.Stdout)
	}

	i = s.start(t, sandbox.Spec{Image: img, Args: []string{"stubborn"}})
	ready(t, i, "ready")
	if err := as[sandbox.Restarter](t, i).Restart(t.Context(), 50*time.Millisecond); err != nil {
		t.Errorf("a process that ignores SIGTERM: %v", err)
	}
	eventually(t, func() string {
		logs, _ := i.Logs(t.Context())
		if n := strings.Count(string(logs.Stdout), "ready\n"); n != 2 {
			return fmt.Sprintf("started %d times, want 2", n)
		}
		return ""
	})
}

func (s *suite) exec(t *testing.T) {
	i := s.start(t, sandbox.Spec{Image: Image(t, v1.Config{Env: []string{"A=image"}}), Args: []string{"sleep"}, Name: "greeter"})
	x := as[sandbox.Execer](t, i)
	tests := []struct {
		name string
		cmd  sandbox.Command
		want sandbox.Output
	}{
		{
			"output",
			sandbox.Command{Args: []string{"/probe", "print", "one", "two"}},
			sandbox.Output{Logs: sandbox.Logs{Stdout: []byte("one\n"), Stderr: []byte("two\n")}},
		},
		{"exit code", sandbox.Command{Args: []string{"/probe", "exit", "5"}}, sandbox.Output{Exit: sandbox.Exit{Code: 5}}},
		{
			"input",
			sandbox.Command{Args: []string{"/probe", "echo"}, Stdin: strings.NewReader("from stdin")},
			sandbox.Output{Logs: sandbox.Logs{Stdout: []byte("from stdin")}},
		},
		{"directory", sandbox.Command{Args: []string{"/probe", "cwd"}, Dir: "/tmp"}, sandbox.Output{Logs: sandbox.Logs{Stdout: []byte("/tmp\n")}}},
		{
			"environment",
			sandbox.Command{Args: []string{"/probe", "getenv", "A", "B"}, Env: []string{"B=command"}},
			sandbox.Output{Logs: sandbox.Logs{Stdout: []byte("image\ncommand\n")}},
		},
		{"in the same host name", sandbox.Command{Args: []string{"/probe", "hostname"}}, sandbox.Output{Logs: sandbox.Logs{Stdout: []byte("greeter\n")}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := x.Exec(t.Context(), test.cmd)
			if err != nil {
				t.Fatal(err)
			}
			if got.Duration <= 0 {
				t.Errorf("it took %s", got.Duration)
			}
			if diff := cmp.Diff(test.want.Exit, got.Exit); diff != "" {
				t.Errorf("exit (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(text(test.want.Logs), text(got.Logs)); diff != "" {
				t.Errorf("logs (-want +got)\n%s", diff)
			}
		})
	}
	t.Run("no such program", func(t *testing.T) {
		got, err := x.Exec(t.Context(), sandbox.Command{Args: []string{"/missing"}})
		if err != nil {
			t.Fatal(err)
		}
		if got.Exit.Code != 127 || !strings.Contains(string(got.Logs.Stdout)+string(got.Logs.Stderr), "/missing") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("as confined as the instance", func(t *testing.T) {
		got, err := x.Exec(t.Context(), sandbox.Command{Args: []string{"/probe", "attack"}})
		if err != nil {
			t.Fatal(err)
		}
		// It may trace what belongs to the same user in the same instance, as everywhere.
		tried := strings.ReplaceAll(string(got.Logs.Stdout), "ptrace-init: WORKED\n", "")
		if strings.Contains(tried, "WORKED") || !strings.Contains(tried, "mount: ") {
			t.Errorf("%s%s", got.Logs.Stdout, got.Logs.Stderr)
		}
	})
	t.Run("no arguments", func(t *testing.T) {
		if got, err := x.Exec(t.Context(), sandbox.Command{}); err == nil {
			t.Errorf("%+v", got)
		}
	})
}

func (s *suite) execContext(t *testing.T) {
	i := s.start(t, sandbox.Spec{Image: Image(t, v1.Config{}), Args: []string{"sleep"}})
	ctx, cancel := contextWithTimeout(t, 200*time.Millisecond)
	defer cancel()
	r, w := io.Pipe() // never written to: its reader must not keep Exec
	defer w.Close()
	began := time.Now()
	if _, err := as[sandbox.Execer](t, i).Exec(ctx, sandbox.Command{Args: []string{"/probe", "stubborn"}, Stdin: r}); !errors.Is(err, ctx.Err()) || ctx.Err() == nil {
		t.Errorf("got %v, want %v", err, ctx.Err())
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func (s *suite) logs(t *testing.T) {
	limits := sandbox.Limits{Output: 10_000}
	i := s.start(t, sandbox.Spec{Image: Image(t, v1.Config{}), Args: []string{"flood"}, Limits: limits})
	eventually(t, func() string {
		logs, err := i.Logs(t.Context())
		switch {
		case err != nil:
			return err.Error()
		case !logs.Truncated:
			return fmt.Sprintf("%d bytes and not truncated", len(logs.Stdout))
		case len(logs.Stdout) != int(limits.Output):
			return fmt.Sprintf("%d bytes, the limit is %d", len(logs.Stdout), limits.Output)
		}
		return ""
	})
	got, err := as[sandbox.Execer](t, i).Exec(t.Context(), sandbox.Command{Args: []string{"/probe", "print-many", "100000"}})
	if err != nil || !got.Logs.Truncated || len(got.Logs.Stdout) != int(limits.Output) {
		t.Errorf("a command: %d bytes, truncated: %v, %v", len(got.Logs.Stdout), got.Logs.Truncated, err)
	}
}
