//go:build linux

package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/plimsoll-dev/plimsoll/internal/reexec"
	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/embedded"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/conformance"
)

// noFiles is an empty build context.
var noFiles = fstest.MapFS{}

// request is a build of two steps that run.
func request(t testing.TB, base build.Source) build.Request {
	t.Helper()
	return build.Request{
		Dockerfile: fmt.Appendf(nil, "FROM %s\nRUN echo one > /one\nRUN --mount=type=cache,target=/c cat /one > /two\n", base.Ref),
		Context:    noFiles,
		Sources:    []build.Source{base},
		Layout:     filepath.Join(t.TempDir(), "layout"),
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	b := start(t, embedded.Options{Runc: runc(t), State: t.TempDir()})
	socket := filepath.Join(t.TempDir(), "buildkitd.sock")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	b.Serve(l)
	c, err := buildkit.Dial(t.Context(), "unix://"+socket, buildkit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	want := build.Home{Name: "buildkitd", Executor: "runc", Enforces: true}
	got := c.Home()
	got.Version = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("home (-want +got):\n%s", diff)
	}
	conformance.Test(t, c, conformance.Lacks{})
}

func TestCacheOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	opt := embedded.Options{Runc: runc(t), State: t.TempDir()}
	base := conformance.Userland(t, "1.4.8")
	for i, wantCached := range []bool{false, true} {
		b, err := embedded.Start(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		result, err := b.Build(t.Context(), request(t, base))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range result.Steps {
			if strings.Contains(s.Name, "RUN") && s.Cached != wantCached {
				t.Errorf("start %d: cached %t, want %t: %s", i, s.Cached, wantCached, s.Name)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOneStateDirectoryForManyProcesses(t *testing.T) {
	t.Parallel()
	state, base := t.TempDir(), conformance.Userland(t, "1.4.8")
	// To a lock, two engines of one process are like two processes.
	for range 2 {
		b := start(t, embedded.Options{Runc: runc(t), State: state})
		if _, err := b.Build(t.Context(), request(t, base)); err != nil {
			t.Error(err)
		}
	}
}

func TestCacheHasALimit(t *testing.T) {
	t.Parallel()
	testenv.NeedsRoot(t)
	opt := embedded.Options{State: t.TempDir()}
	b, err := embedded.Start(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Build(t.Context(), request(t, conformance.Userland(t, "1.4.8"))); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	opt.MaxCacheBytes = 1 << 20 // less than the base
	b = start(t, opt)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for tick := time.Tick(50 * time.Millisecond); ; <-tick {
		used, err := b.Client().DiskUsage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var size int64
		for _, u := range used {
			size += u.Size
		}
		if size <= 1<<20 {
			return
		}
	}
}

func TestNothingStays(t *testing.T) {
	state, temp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	ignore := []goleak.Option{
		goleak.IgnoreCurrent(),
		// BuildKit's own, which sleep for seconds or minutes and then find nothing to do.
		goleak.IgnoreAnyFunction("github.com/moby/buildkit/solver/llbsolver/history.NewQueue.func2"),
		goleak.IgnoreAnyFunction("github.com/moby/buildkit/solver.(*Job).Discard.func1"),
		goleak.IgnoreAnyFunction("github.com/moby/buildkit/control.NewController.After.throttle.func3.1"),
	}
	for _, snapshotter := range []string{embedded.Overlay, embedded.Native} {
		t.Run(snapshotter, func(t *testing.T) {
			nothingStays(t, embedded.Options{Runc: runc(t), State: state, Snapshotter: snapshotter})
		})
	}
	t.Run("own executor", func(t *testing.T) { nothingStays(t, embedded.Options{State: state}) })
	entries, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 0 {
		t.Errorf("in the temporary directory: %v", entries)
	}
	if err := goleak.Find(ignore...); err != nil {
		t.Error(err)
	}
}

func nothingStays(t *testing.T, opt embedded.Options) {
	t.Helper()
	b, err := embedded.Start(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	base := conformance.Userland(t, "1.4.8")
	if _, err := b.Build(t.Context(), request(t, base)); err != nil {
		t.Fatal(err)
	}
	stopped := request(t, base)
	ctx, cancel := context.WithCancel(t.Context())
	stopped.Dockerfile = fmt.Appendf(nil, "FROM %s\nRUN --mount=type=cache,target=/c echo begun; sleep 1000\n", base.Ref)
	stopped.Progress = func(e build.Event) {
		if e.State == "log" {
			cancel()
		}
	}
	if _, err := b.Build(ctx, stopped); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if got := mounts(t, opt.State); len(got) > 0 {
		t.Errorf("mounts after the builds: %q", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// mounts are the lines of mountinfo that name a directory.
func mounts(t testing.TB, dir string) []string {
	t.Helper()
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(info)) {
		if strings.Contains(line, dir) {
			found = append(found, line)
		}
	}
	return found
}

// A program that builds: state, runc, base image, command of the step.
func init() { //nolint:gochecknoinits // the exception: this program run again
	reexec.Hook("plimsoll-test-builder", func() {
		b, err := embedded.Start(context.Background(), embedded.Options{State: os.Args[1], Runc: os.Args[2]})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_, err = b.Build(context.Background(), build.Request{
			Dockerfile: fmt.Appendf(nil, "FROM %s\nRUN --mount=type=cache,target=/c %s\n", os.Args[3], os.Args[4]),
			Context:    fstest.MapFS{},
			Sources:    []build.Source{{Kind: "image", Ref: os.Args[3]}},
			Layout:     filepath.Join(os.Args[1], "layout"),
			Progress:   func(e build.Event) { fmt.Print(string(e.Log)) },
		})
		if err := errors.Join(err, b.Close()); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	})
}

// TestKilled kills a program in the middle of a step and starts another one in its state directory.
func TestKilled(t *testing.T) {
	t.Parallel()
	testenv.NeedsRoot(t)
	const nobody = 65534
	base := conformance.Userland(t, "1.4.8")
	tests := []struct {
		name, runc string
		user       uint32
	}{
		{"runc", runc(t), 0},
		{"own executor", "", 0},
		{"ordinary user", "", nobody},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.user == nobody {
				testenv.NeedsUserNamespaces(t)
			}
			state := open(t, t.TempDir(), int(tt.user))
			program := func(step string) *exec.Cmd {
				cmd := reexec.Command("plimsoll-test-builder", state, tt.runc, base.Ref, step)
				cmd.Env = append(os.Environ(), "HOME="+state)
				cmd.Dir = state
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: tt.user, Gid: tt.user}}
				return cmd
			}
			marker := fmt.Sprintf("sleep %d%d", os.Getpid(), i)
			kill(t, program("echo begun; "+marker))
			if out, err := program("echo again").CombinedOutput(); err != nil || !strings.Contains(string(out), "again") {
				t.Errorf("the next program: %v\n%s", err, out)
			}
			if got := mounts(t, state); len(got) > 0 {
				t.Errorf("still mounted: %q", got)
			}
			if got := conformance.Processes(t, strings.ReplaceAll(marker, " ", "\x00")); len(got) > 0 {
				t.Errorf("still running: %q", got)
			}
		})
	}
}

// kill starts a program and kills it when it says that it has begun.
func kill(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "begun\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	base := conformance.Userland(t, "1.4.8")
	small := t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=24m"); err != nil {
		t.Skip("needs to mount a tmpfs: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
	tests := []struct {
		name          string
		state, layout string
	}{
		{"state", small, t.TempDir()},
		{"layout", t.TempDir(), small},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := start(t, embedded.Options{State: filepath.Join(tt.state, "state"), Runc: runc(t)})
			req := request(t, base)
			req.Layout = filepath.Join(tt.layout, "out", "layout")
			req.Dockerfile = fmt.Appendf(nil, "FROM %s\n%s", base.Ref, strings.Repeat("RUN cp /bin/userland /f && cp /bin/userland /g\n", 6))
			_, err := b.Build(t.Context(), req)
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("got %v, want ENOSPC", err)
			}
			t.Log(err)
			if entries, err := os.ReadDir(filepath.Dir(req.Layout)); err != nil || len(entries) > 0 {
				t.Errorf("beside the layout: %v, %v", entries, err)
			}
		})
	}
}
