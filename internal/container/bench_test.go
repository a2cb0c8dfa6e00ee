//go:build linux

package container_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

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
