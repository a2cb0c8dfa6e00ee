package fake_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"go.uber.org/goleak"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/fake"
)

func start(t *testing.T, rt *fake.Runtime, spec sandbox.Spec) *fake.Instance {
	t.Helper()
	spec.Image, spec.Platform = empty.Image, "linux/amd64"
	i, err := rt.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return i.(*fake.Instance)
}

// untilKilled is a program that only a signal ends.
func untilKilled(ctx context.Context, _ *fake.Process) int {
	<-ctx.Done()
	return 0
}

func TestExit(t *testing.T) {
	tests := []struct {
		name   string
		main   fake.Program
		signal syscall.Signal
		want   sandbox.Exit
	}{
		{"by itself", func(context.Context, *fake.Process) int { return 3 }, 0, sandbox.Exit{Code: 3}},
		{"by a signal", untilKilled, syscall.SIGTERM, sandbox.Exit{Code: 143, Signal: 15}},
		{"by a signal that it handles", func(_ context.Context, p *fake.Process) int {
			signals := p.Signals()
			fmt.Fprintln(p.Stdout, "ready")
			return <-signals
		}, syscall.SIGTERM, sandbox.Exit{Code: 15}},
		{"by one that nobody handles", func(ctx context.Context, p *fake.Process) int {
			p.Signals()
			fmt.Fprintln(p.Stdout, "ready")
			<-ctx.Done()
			return 0
		}, syscall.SIGKILL, sandbox.Exit{Code: 137, Signal: 9}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := start(t, &fake.Runtime{Main: test.main}, sandbox.Spec{})
				synctest.Wait()
				if test.signal != 0 {
					if err := i.Signal(t.Context(), int(test.signal)); err != nil {
						t.Error(err)
					}
				}
				exit, err := i.Wait(t.Context())
				if diff := cmp.Diff(test.want, exit); err != nil || diff != "" {
					t.Errorf("%v (-want +got)\n%s", err, diff)
				}
				if err := i.Signal(t.Context(), 15); !errors.Is(err, os.ErrProcessDone) {
					t.Errorf("a signal after the end: %v", err)
				}
			})
		})
	}
}

func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := start(t, &fake.Runtime{Main: untilKilled}, sandbox.Spec{Limits: sandbox.Limits{Life: time.Hour}})
		began := time.Now()
		exit, err := i.Wait(t.Context())
		if err != nil || exit.Signal != 9 || time.Since(began) != time.Hour {
			t.Errorf("%+v after %s, %v", exit, time.Since(began), err)
		}
	})
}

func TestLogsAreCutOff(t *testing.T) {
	rt := &fake.Runtime{Main: func(_ context.Context, p *fake.Process) int {
		fmt.Fprint(p.Stdout, "1234567")
		fmt.Fprint(p.Stderr, "89abcdef")
		return 0
	}}
	i := start(t, rt, sandbox.Spec{Limits: sandbox.Limits{Output: 10}})
	if _, err := i.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := i.Logs(t.Context())
	if diff := cmp.Diff(sandbox.Logs{Stdout: []byte("1234567"), Stderr: []byte("89a"), Truncated: true}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestExec(t *testing.T) {
	rt := &fake.Runtime{Main: untilKilled, Commands: map[string]fake.Program{
		"cat": func(_ context.Context, p *fake.Process) int {
			_, _ = io.Copy(p.Stdout, p.Stdin)
			return 4
		},
		"forever": untilKilled,
	}}
	i := start(t, rt, sandbox.Spec{})
	got, err := i.Exec(t.Context(), sandbox.Command{Args: []string{"cat"}, Stdin: strings.NewReader("text")})
	if err != nil || got.Exit.Code != 4 || string(got.Logs.Stdout) != "text" {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = i.Exec(t.Context(), sandbox.Command{Args: []string{"dog"}})
	if err != nil || got.Exit.Code != 127 || string(got.Logs.Stderr) != "dog: no such file or directory\n" {
		t.Errorf("%+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = i.Exec(ctx, sandbox.Command{Args: []string{"forever"}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestNetworks(t *testing.T) {
	serve := func(ctx context.Context, p *fake.Process) int {
		l, err := p.Listen(80)
		if err != nil {
			return 1
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				fmt.Fprint(c, p.Getenv("NAME"))
				c.Close()
			}
		}()
		fmt.Fprintln(p.Stdout, "ready")
		<-ctx.Done()
		return 0
	}
	rt := &fake.Runtime{Main: serve, Commands: map[string]fake.Program{
		"dial": func(ctx context.Context, p *fake.Process) int {
			c, err := p.Dial(ctx, "tcp", p.Args[1])
			if err != nil {
				fmt.Fprint(p.Stdout, err)
				return 1
			}
			defer c.Close()
			_, _ = io.Copy(p.Stdout, c)
			return 0
		},
	}}
	var last *fake.Instance
	for _, name := range []string{"a", "b"} {
		last = start(t, rt, sandbox.Spec{Network: "n", Name: name, Env: []string{"NAME=" + name}})
		for logs, _ := last.Logs(t.Context()); len(logs.Stdout) == 0; logs, _ = last.Logs(t.Context()) {
			time.Sleep(time.Millisecond)
		}
	}
	for address, want := range map[string]string{
		"a:80": "a", "b:80": "b", "localhost:80": "b", "c:80": "lookup c: no such host", "a:81": "dial tcp: connect: connection refused",
	} {
		got, err := last.Exec(t.Context(), sandbox.Command{Args: []string{"dial", address}})
		if err != nil || string(got.Logs.Stdout) != want {
			t.Errorf("%s: %q, %v, want %q", address, got.Logs.Stdout, err, want)
		}
	}
	if _, err := rt.Start(t.Context(), sandbox.Spec{Image: empty.Image, Platform: "linux/amd64", Network: "n", Name: "a"}); err == nil {
		t.Error("two instances of one name")
	}
	if err := last.Close(t.Context()); err != nil {
		t.Error(err)
	}
	var refused *net.OpError
	if _, err := last.Dial(t.Context(), "tcp", 80); !errors.As(err, &refused) {
		t.Errorf("a closed instance: %v", err)
	}
	if n := rt.Open(); n != 1 {
		t.Errorf("%d instances are open, want 1", n)
	}
}

func TestFiles(t *testing.T) {
	rt := &fake.Runtime{
		Files: map[string][]byte{"/etc/a": []byte("image"), "/etc/b": []byte("image")},
		Main: func(_ context.Context, p *fake.Process) int {
			for _, name := range []string{"/etc/a", "/tmp/x", "/tmpx", "/data/x"} {
				fmt.Fprintln(p.Stdout, p.WriteFile(name, []byte("written")))
			}
			return 0
		},
	}
	i := start(t, rt, sandbox.Spec{Files: map[string][]byte{"/etc/b": []byte("spec")}})
	if _, err := i.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	logs, _ := i.Logs(t.Context())
	want := "write /etc/a: permission denied\n<nil>\nwrite /tmpx: permission denied\nwrite /data/x: permission denied\n"
	if diff := cmp.Diff(want, string(logs.Stdout)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for name, want := range map[string]string{"/etc/a": "image", "/etc/b": "spec", "/tmp/x": "written"} {
		if got, err := i.ReadFile(t.Context(), name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := i.ReadFile(t.Context(), "/none"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestRestart(t *testing.T) {
	rt := &fake.Runtime{Main: func(ctx context.Context, p *fake.Process) int {
		old, _ := p.ReadFile("/tmp/count")
		_ = p.WriteFile("/tmp/count", append(old, '+'))
		fmt.Fprintln(p.Stdout, string(old))
		p.Signals() // it ignores SIGTERM
		<-ctx.Done()
		return 0
	}}
	synctest.Test(t, func(t *testing.T) {
		i := start(t, rt, sandbox.Spec{})
		synctest.Wait()
		began := time.Now()
		if err := i.Restart(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("killed after %s", took)
		}
		synctest.Wait()
		logs, _ := i.Logs(t.Context())
		if string(logs.Stdout) != "\n+\n" {
			t.Errorf("%q", logs.Stdout)
		}
	})
}

func TestBadSpecs(t *testing.T) {
	failing := errors.New("no more instances today")
	good := sandbox.Spec{Image: empty.Image, Platform: "linux/amd64"}
	tests := []struct {
		name string
		rt   *fake.Runtime
		spec sandbox.Spec
		want string
	}{
		{"no image", &fake.Runtime{Main: untilKilled}, sandbox.Spec{Platform: "linux/amd64"}, "fake sandbox: the spec has no image"},
		{"no platform", &fake.Runtime{Main: untilKilled}, sandbox.Spec{Image: empty.Image}, "fake sandbox: the spec has no platform"},
		{"no program", &fake.Runtime{}, good, "fake sandbox: the runtime has no Main"},
		{"on purpose", &fake.Runtime{Main: untilKilled, StartErr: failing}, good, "no more instances today"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := test.rt.Start(t.Context(), test.spec); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestCloseSaysWhatDoesNotReturn(t *testing.T) {
	release := make(chan struct{})
	rt := &fake.Runtime{Main: func(context.Context, *fake.Process) int { <-release; return 0 }}
	spec := sandbox.Spec{Image: empty.Image, Platform: "linux/amd64"}
	i, err := rt.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.Close(ctx); err == nil || err.Error() != "instance fake-1: its program does not return: context canceled" {
		t.Error(err)
	}
	close(release)
	if err := i.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
