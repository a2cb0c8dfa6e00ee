//go:build linux

package container_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

// probe is built once; a test links it into its own root.
var probe = sync.OnceValue(func() func(testing.TB) string {
	var once sync.Once
	var path string
	return func(tb testing.TB) string {
		once.Do(func() {
			dir, err := os.MkdirTemp("", "probe-")
			if err != nil {
				tb.Fatal(err)
			}
			path = filepath.Join(dir, "probe")
			if err := os.Rename(sandboxtest.BuildProbe(tb), path); err != nil {
				tb.Fatal(err)
			}
		})
		return path
	}
})

func newRoot(tb testing.TB) string {
	tb.Helper()
	root := tb.TempDir()
	_ = os.Chmod(root, 0o755)
	data, err := os.ReadFile(probe()(tb))
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "probe"), data, 0o755); err != nil {
		tb.Fatal(err)
	}
	return root
}

func newSupervisor(tb testing.TB, o container.Options) *container.Supervisor {
	tb.Helper()
	s, err := container.NewSupervisor(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// run runs a container to its end.
func run(ctx context.Context, s *container.Supervisor, spec container.Spec) (stdout, stderr string, exit container.Exit, err error) {
	o, ow, _ := os.Pipe()
	e, ew, _ := os.Pipe()
	defer o.Close()
	defer e.Close()
	c, err := s.Start(ctx, spec, container.Stdio{Out: ow, Err: ew})
	ow.Close()
	ew.Close()
	if err != nil {
		return "", "", exit, err
	}
	var b1, b2 bytes.Buffer
	var wg sync.WaitGroup
	wg.Go(func() { io.Copy(&b1, o) })
	wg.Go(func() { io.Copy(&b2, e) })
	exit, err = c.Wait(ctx)
	wg.Wait()
	if rerr := c.Remove(ctx); err == nil {
		err = rerr
	}
	return b1.String(), b2.String(), exit, err
}

func TestFirst(t *testing.T) {
	s := newSupervisor(t, container.Options{})
	fmt.Println(s.Weaknesses())
	root := newRoot(t)
	filter, err := container.DefaultFilter(0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("filter", len(filter)/8)
	for _, args := range [][]string{{"id"}, {"list", "/proc"}, {"list", "/dev"}, {"list", "/sys/fs/cgroup"}, {"cat", "/proc/self/status"}, {"cat", "/proc/self/mountinfo"}, {"attack"}, {"exit", "9"}} {
		out, e, exit, err := run(t.Context(), s, container.Spec{ID: "a", Root: root, Process: container.Process{Args: append([]string{"/probe"}, args...), Seccomp: filter}, Resources: container.Resources{Memory: 100 << 20, PIDs: 50, CPUs: 1}})
		fmt.Println(args, strings.ReplaceAll(out, "\n", "\n  "), e, exit, err)
	}
}
