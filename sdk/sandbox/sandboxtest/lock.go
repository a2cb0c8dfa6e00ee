package sandboxtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

func (s *suite) attacks(t *testing.T) {
	img := Image(t, v1.Config{})
	for _, user := range []string{"0", "1000:1000"} {
		t.Run("as user "+user, func(t *testing.T) {
			exit, logs := s.run(t, sandbox.Spec{Image: img, Args: []string{"attack"}, User: user})
			if exit.Code != 0 {
				t.Fatalf("%+v\n%s%s", exit, logs.Stdout, logs.Stderr)
			}
			var worked []string
			n := 0
			for line := range strings.Lines(string(logs.Stdout)) {
				n++
				if strings.HasSuffix(line, "WORKED\n") {
					worked = append(worked, strings.TrimSpace(line))
				}
			}
			if n < 20 || len(worked) > 0 {
				t.Errorf("%d attacks tried; these worked: %v\n%s", n, worked, logs.Stdout)
			}
		})
	}
}

func (s *suite) capabilities(t *testing.T) {
	const netBindService = 1 << 10
	for _, test := range []struct {
		keep []string
		want uint64
	}{{nil, 0}, {[]string{"NET_BIND_SERVICE"}, netBindService}} {
		i := s.start(t, sandbox.Spec{Image: Image(t, v1.Config{}), Args: []string{"sleep"}, Capabilities: test.keep})
		list, err := as[sandbox.Inspector](t, i).Processes(t.Context())
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		main := list[0]
		if main.Capabilities != test.want || !main.NoNewPrivs || !main.Seccomp {
			t.Errorf("capabilities %x, want %x; no_new_privs %v, seccomp %v", main.Capabilities, test.want, main.NoNewPrivs, main.Seccomp)
		}
	}
}

func (s *suite) memoryLimit(t *testing.T) {
	img := Image(t, v1.Config{})
	exit, logs := s.run(t, sandbox.Spec{Image: img, Args: []string{"eat", "200000000"}, Limits: sandbox.Limits{Memory: 64 << 20}})
	want := sandbox.Exit{Code: 137, Signal: 9, OOM: true}
	if s.weak() && exit.Code != 0 { // at least it has ended
		want = exit
	}
	if diff := cmp.Diff(want, exit); diff != "" {
		t.Errorf("(-want +got)\n%s%s", diff, logs.Stdout)
	}
	// Files in memory count, and fill up before the limit kills.
	i := s.start(t, sandbox.Spec{Image: img, Args: []string{"sleep"}, Limits: sandbox.Limits{Memory: 64 << 20}})
	got, err := as[sandbox.Execer](t, i).Exec(t.Context(), sandbox.Command{Args: []string{"/probe", "fill", "/tmp/big", "200000000"}})
	if err != nil || got.Exit.Code == 0 {
		t.Errorf("a file of 200 MB in 64 MiB of memory: %v, %+v", err, got)
	}
}

func (s *suite) processLimit(t *testing.T) {
	i := s.start(t, sandbox.Spec{Image: Image(t, v1.Config{}), Args: []string{"bomb"}, Limits: sandbox.Limits{PIDs: 40}})
	eventually(t, func() string {
		logs, err := i.Logs(t.Context())
		if text := string(logs.Stdout) + string(logs.Stderr); err != nil || !strings.Contains(text, "resource temporarily unavailable") {
			return fmt.Sprintf("%q, %v", text, err)
		}
		return ""
	})
	// A command may find no room among them. It must not hang.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := as[sandbox.Execer](t, i).Exec(ctx, sandbox.Command{Args: []string{"/probe", "pid"}}); ctx.Err() != nil {
		t.Errorf("a command hangs: %v", err)
	}
}

func (s *suite) life(t *testing.T) {
	exit, _ := s.run(t, sandbox.Spec{Image: Image(t, v1.Config{}), Args: []string{"stubborn"}, Limits: sandbox.Limits{Life: 300 * time.Millisecond}})
	if diff := cmp.Diff(sandbox.Exit{Code: 137, Signal: 9}, exit); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func (s *suite) inspect(t *testing.T) {
	i := s.start(t, sandbox.Spec{Image: Image(t, v1.Config{}), User: "1000:2000", Args: []string{"background", "serve", "8080"}, WritableRoot: true})
	ready(t, i, "listening on 8080")
	in := as[sandbox.Inspector](t, i)
	list, err := in.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []sandbox.Process{
		{PID: 1, UID: 1000, GID: 2000, State: "S", Args: []string{"/probe", "background", "serve", "8080"}, NoNewPrivs: true, Seccomp: true},
		{Parent: 1, UID: 1000, GID: 2000, State: "S", Args: []string{"/proc/self/exe", "serve", "8080"}, NoNewPrivs: true, Seccomp: true},
	}
	for n := range list {
		if n > 0 {
			list[n].PID = 0
		}
		if list[n].State == "R" { // caught at work on a busy machine
			list[n].State = "S"
		}
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("processes (-want +got)\n%s", diff)
	}
	sockets, err := in.Listening(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(sockets, func(s sandbox.Socket) bool { return s.Port == 8080 && strings.HasPrefix(s.Network, "tcp") }) {
		t.Errorf("listening: %+v", sockets)
	}
	hosts, err := in.ReadFile(t.Context(), "/etc/hosts")
	if err != nil || !strings.Contains(string(hosts), "localhost") {
		t.Errorf("/etc/hosts: %q, %v", hosts, err)
	}
	for _, path := range []string{"/missing", "/dev/null", "/"} {
		if data, err := in.ReadFile(t.Context(), path); err == nil {
			t.Errorf("%s was read: %q", path, data)
		}
	}

	zombie := s.start(t, sandbox.Spec{Image: Image(t, v1.Config{}), Args: []string{"zombie"}})
	ready(t, zombie, "ready")
	eventually(t, func() string {
		list, err := as[sandbox.Inspector](t, zombie).Processes(t.Context())
		if !slices.ContainsFunc(list, func(p sandbox.Process) bool { return p.State == "Z" && p.Parent == 1 }) {
			return fmt.Sprintf("no zombie: %+v, %v", list, err)
		}
		return ""
	})
}

func (s *suite) usage(t *testing.T) {
	i := s.start(t, sandbox.Spec{Image: Image(t, v1.Config{}), Args: []string{"eat", "50000000"}})
	ready(t, i, "ate 48 MiB")
	u, err := as[sandbox.Meter](t, i).Usage(t.Context())
	if s.weak() && errors.Is(err, sandbox.ErrUnsupported) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if u.Memory < 40<<20 || u.Memory > 200<<20 || u.PIDs < 1 || u.CPU <= 0 {
		t.Errorf("%+v", u)
	}
}

func (s *suite) close(t *testing.T) {
	i, err := s.rt.Start(t.Context(), sandbox.Spec{Image: Image(t, v1.Config{}), Platform: Platform(), Args: []string{"stubborn"}})
	if err != nil {
		t.Fatal(err)
	}
	ready(t, i, "ready")
	for range 2 {
		if err := i.Close(t.Context()); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if conn, err := i.Dial(t.Context(), "tcp", 8080); err == nil {
		conn.Close()
		t.Error("a closed instance was connected to")
	}
	if x, ok := i.(sandbox.Execer); ok {
		if _, err := x.Exec(t.Context(), sandbox.Command{Args: []string{"/probe", "exit", "0"}}); err == nil {
			t.Error("a command ran in a closed instance")
		}
	}
}

func (s *suite) cancelledStart(t *testing.T) {
	img := Image(t, v1.Config{})
	why := errors.New("the test says stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if i, err := s.rt.Start(ctx, sandbox.Spec{Image: img, Platform: Platform(), Args: []string{"sleep"}}); err == nil {
		_ = i.Close(t.Context())
		t.Error("it started")
	} else if !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not why it was cancelled", err)
	}
	// At any moment of the start: nothing may hang or stay behind.
	for delay := time.Millisecond; delay < 100*time.Millisecond; delay *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), delay)
		if i, err := s.rt.Start(ctx, sandbox.Spec{Image: img, Platform: Platform(), Args: []string{"sleep"}}); err == nil {
			if err := i.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		cancel()
	}
}

func (s *suite) concurrency(t *testing.T) {
	img := Image(t, v1.Config{}, []File{})
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			i, err := s.rt.Start(t.Context(), sandbox.Spec{Image: img, Platform: Platform(), Args: []string{"exit", fmt.Sprint(n)}})
			if err != nil {
				t.Error(err)
				return
			}
			exit, err := i.Wait(t.Context())
			if err != nil || exit.Code != n {
				t.Errorf("exit code %d, want %d: %v", exit.Code, n, err)
			}
			if err := i.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
