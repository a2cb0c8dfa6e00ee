//go:build linux

package executor_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	bk "github.com/moby/buildkit/executor"
	gatewayapi "github.com/moby/buildkit/frontend/gateway/pb"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/internal/executor"
)

func TestCancel(t *testing.T) {
	b := newBench(t, executor.Options{})
	why := errors.New("the user has pressed a key")
	ctx, cancel := context.WithCancelCause(t.Context())
	started := make(chan struct{})
	go func() {
		<-started
		cancel(why)
	}()
	r, w := io.Pipe() // input that never comes
	defer w.Close()
	_, err := b.Run(ctx, "", bk.Mount{Src: bind(b.root), Dest: "/"}, nil, bk.ProcessInfo{Meta: bk.Meta{Args: args("stubborn"), Cwd: "/"}, Stdin: r}, started)
	var exit *gatewayapi.ExitError
	if !errors.Is(err, why) || !errors.As(err, &exit) || exit.ExitCode != 137 {
		t.Errorf("%v", err)
	}
	_, err = b.Run(ctx, "", bk.Mount{Src: bind(b.root), Dest: "/"}, nil, bk.ProcessInfo{Meta: bk.Meta{Args: args("sleep"), Cwd: "/"}}, nil)
	if !errors.Is(err, why) {
		t.Errorf("a start after the end: %v", err)
	}
}

func TestExec(t *testing.T) {
	b := newBench(t, executor.Options{})
	signals := make(chan syscall.Signal, 1)
	done := make(chan error, 1)
	go func() {
		_, err := b.Run(t.Context(), "step1", bk.Mount{Src: bind(b.root), Dest: "/"}, nil,
			bk.ProcessInfo{Meta: bk.Meta{Args: args("polite"), Cwd: "/", Env: []string{"A=1"}}, Stdout: &buffer{}, Signal: signals}, nil)
		done <- err
	}()
	exec := func(meta bk.Meta, stdin string) (string, error) {
		var out buffer
		process := bk.ProcessInfo{Meta: meta, Stdout: &out, Stderr: &out}
		if stdin != "" {
			process.Stdin = io.NopCloser(strings.NewReader(stdin))
		}
		err := b.Exec(t.Context(), "step1", process)
		return out.String(), err
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		_, err := exec(bk.Meta{Args: args("pid")}, "")
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name, stdin, want string
		meta              bk.Meta
	}{
		{"environment of the step", "", "1\n", bk.Meta{Args: args("getenv", "A")}},
		{"its own environment", "", "\n", bk.Meta{Args: args("getenv", "A"), Env: []string{"B=2"}}},
		{"its own user", "", "33 44 []\n", bk.Meta{Args: args("id"), User: "33:44"}},
		{"its own directory", "", "/etc\n", bk.Meta{Args: args("cwd"), Cwd: "/etc"}},
		{"input", "from stdin", "from stdin", bk.Meta{Args: args("echo")}},
		{"a terminal", "", "terminal of 0 rows and 0 columns\r\n", bk.Meta{Args: args("tty"), Tty: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := exec(test.meta, test.stdin)
			if err != nil && strings.Contains(err.Error(), "CGO_ENABLED=0") {
				t.Skip(err)
			}
			if err != nil || got != test.want {
				t.Errorf("%q, %v, want %q", got, err, test.want)
			}
		})
	}
	var exit *gatewayapi.ExitError
	if _, err := exec(bk.Meta{Args: args("exit", "5")}, ""); !errors.As(err, &exit) || exit.ExitCode != 5 {
		t.Errorf("exit code: %v", err)
	}
	if text, err := exec(bk.Meta{Args: []string{"/missing"}}, ""); !errors.As(err, &exit) || exit.ExitCode != 127 || !strings.Contains(text, "/missing") {
		t.Errorf("no such program: %v %q", err, text)
	}
	signals <- syscall.SIGTERM
	if err := <-done; !errors.As(err, &exit) || exit.ExitCode != 7 {
		t.Errorf("a signal: %v", err)
	}
	if _, err := exec(bk.Meta{Args: args("pid")}, ""); err == nil {
		t.Error("exec in a step that has ended")
	}
}

func TestTerminal(t *testing.T) {
	b := newBench(t, executor.Options{})
	var out buffer
	resize := make(chan bk.WinSize, 1)
	resize <- bk.WinSize{Rows: 25, Cols: 80}
	_, err := b.Run(t.Context(), "", bk.Mount{Src: bind(b.root), Dest: "/"}, nil, bk.ProcessInfo{
		Meta: bk.Meta{Args: args("tty-size", "25"), Cwd: "/", Tty: true}, Stdout: &out, Resize: resize, Stdin: io.NopCloser(strings.NewReader("")),
	}, nil)
	if err != nil || out.String() != "terminal of 25 rows and 80 columns\r\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// TestLeftovers: what a killed executor left in its directory is unmounted and removed.
func TestLeftovers(t *testing.T) {
	testenv.NeedsRoot(t)
	dir := filepath.Join(t.TempDir(), "executor")
	left := filepath.Join(dir, "step", "rootfs")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	precious := t.TempDir()
	if err := os.WriteFile(filepath.Join(precious, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(precious, left, "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	e, err := executor.New(t.Context(), executor.Options{Root: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
	if _, err := os.Stat(filepath.Join(precious, "file")); err != nil {
		t.Errorf("what was mounted is gone: %v", err)
	}
}
