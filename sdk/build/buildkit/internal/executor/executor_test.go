//go:build linux

package executor_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
	bkexecutor "github.com/moby/buildkit/executor"
	gatewayapi "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/sys/user"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/internal/executor"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

// mounts is a source of files as the snapshotter gives it.
type mounts []mount.Mount

func (m mounts) Mount(context.Context, bool) (bkexecutor.MountableRef, error) { return ref(m), nil }

type ref []mount.Mount

func (r ref) Mount() ([]mount.Mount, func() error, error) { return r, func() error { return nil }, nil }
func (ref) IdentityMapping() *user.IdentityMapping        { return nil }

func bind(dir string) mounts {
	return mounts{{Type: "bind", Source: dir, Options: []string{"rbind", "rw"}}}
}

type buffer struct{ bytes.Buffer }

func (*buffer) Close() error { return nil }

type result struct {
	stdout, stderr string
	code           uint32
	err            error
}

type bench struct {
	*executor.Executor
	root string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	testenv.NeedsRoot(t)
	e, err := executor.New(t.Context(), executor.Options{Root: filepath.Join(t.TempDir(), "executor"), NoNetwork: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "probe"), sandboxtest.Probe(t), 0o755); err != nil {
		t.Fatal(err)
	}
	return &bench{e, root}
}

func (b *bench) run(t *testing.T, meta bkexecutor.Meta, mounts ...bkexecutor.Mount) result {
	t.Helper()
	var out, errs buffer
	if meta.Cwd == "" {
		meta.Cwd = "/"
	}
	_, err := b.Run(t.Context(), "", bkexecutor.Mount{Src: bind(b.root), Dest: "/"}, mounts,
		bkexecutor.ProcessInfo{Meta: meta, Stdout: &out, Stderr: &errs}, nil)
	r := result{stdout: out.String(), stderr: errs.String(), err: err}
	var exit *gatewayapi.ExitError
	if errors.As(err, &exit) {
		r.code = exit.ExitCode
	}
	return r
}

func TestRun(t *testing.T) {
	b := newBench(t)
	r := b.run(t, bkexecutor.Meta{Args: []string{"/probe", "print", "to stdout", "to stderr"}, NetMode: pb.NetMode_NONE})
	if r.err != nil || r.stdout != "to stdout\n" || r.stderr != "to stderr\n" {
		t.Fatalf("%+v", r)
	}
	if r = b.run(t, bkexecutor.Meta{Args: []string{"/probe", "exit", "3"}}); r.code != 3 {
		t.Errorf("%+v", r)
	}
	if r = b.run(t, bkexecutor.Meta{Args: []string{"probe2"}}); r.code != 127 || !strings.Contains(r.stderr, "probe2") {
		t.Errorf("%+v", r)
	}
	entries, _ := os.ReadDir(b.root)
	for _, e := range entries {
		t.Log(e.Name())
	}
	_ = io.EOF
}
