//go:build linux

package executor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/google/go-cmp/cmp"
	bk "github.com/moby/buildkit/executor"
	gatewayapi "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/sys/user"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/internal/reexec"
	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/internal/executor"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

// TestMain runs the tests of an ordinary user in a user namespace, as the embedded BuildKit runs its server.
func TestMain(m *testing.M) {
	if !container.NeedsUserNamespace() {
		os.Exit(m.Run())
	}
	cmd := reexec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = os.Environ(), os.Stdout, os.Stderr
	_, err := container.StartInUserNamespace(context.Background(), cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func TestAsOrdinaryUser(t *testing.T) { sandboxtest.AsOrdinaryUser(t, false) }

// source is files as a snapshotter gives them.
type source []mount.Mount

func (s source) Mount(context.Context, bool) (bk.MountableRef, error) { return ref(s), nil }

type ref []mount.Mount

func (r ref) Mount() ([]mount.Mount, func() error, error) { return r, func() error { return nil }, nil }
func (ref) IdentityMapping() *user.IdentityMapping        { return nil }

func bind(dir string) source {
	return source{{Type: "bind", Source: dir, Options: []string{"rbind", "rw"}}}
}

// buffer is a stream of a step.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (*buffer) Close() error { return nil }

// bench is an executor and a root with the probe in it.
type bench struct {
	*executor.Executor
	dir, root string
}

func newBench(t *testing.T, options executor.Options) *bench {
	t.Helper()
	testenv.NeedsRoot(t) // of a user namespace will do
	options.Root = filepath.Join(t.TempDir(), "executor")
	e, err := executor.New(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{e, options.Root, filepath.Join(t.TempDir(), "root")}
	t.Cleanup(func() {
		entries, err := os.ReadDir(b.dir)
		for _, e := range entries {
			if !strings.Contains(e.Name(), "resolv") && e.Name() != "hosts" { // these are shared by all steps
				t.Errorf("the steps have left %s", e.Name())
			}
		}
		if err := errors.Join(err, e.Close()); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(b.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the executor has left its directory: %v", err)
		}
	})
	if err := os.Mkdir(b.root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.root, "probe"), sandboxtest.Probe(t), 0o755); err != nil {
		t.Fatal(err)
	}
	return b
}

type result struct {
	Stdout, Stderr string
	Code           uint32
	err            error
}

func (b *bench) run(t *testing.T, meta bk.Meta, mounts ...bk.Mount) result {
	t.Helper()
	var out, errs buffer
	if meta.Cwd == "" {
		meta.Cwd = "/"
	}
	_, err := b.Run(t.Context(), "", bk.Mount{Src: bind(b.root), Dest: "/"}, mounts, bk.ProcessInfo{Meta: meta, Stdout: &out, Stderr: &errs}, nil)
	r := result{Stdout: out.String(), Stderr: errs.String(), err: err}
	if exit, ok := errors.AsType[*gatewayapi.ExitError](err); ok {
		r.Code = exit.ExitCode
	}
	return r
}

func args(a ...string) []string { return append([]string{"/probe"}, a...) }

func TestRun(t *testing.T) {
	b := newBench(t, executor.Options{NoNetwork: true})
	tests := []struct {
		name string
		meta bk.Meta
		want result
	}{
		{"output", bk.Meta{Args: args("print", "one", "two")}, result{Stdout: "one\n", Stderr: "two\n"}},
		{"exit code", bk.Meta{Args: args("exit", "3")}, result{Code: 3}},
		{"an exit code that is valid", bk.Meta{Args: args("exit", "3"), ValidExitCodes: []int{3}}, result{}},
		{"no such program", bk.Meta{Args: []string{"/missing"}}, result{Stderr: "exec /missing: no such file or directory\n", Code: 127}},
		{"host name", bk.Meta{Args: args("hostname"), Hostname: "builder"}, result{Stdout: "builder\n"}},
		{"default host name", bk.Meta{Args: args("hostname")}, result{Stdout: "buildkitsandbox\n"}},
		{"user", bk.Meta{Args: args("id"), User: "1234:2345"}, result{Stdout: "1234 2345 []\n"}},
		{"environment", bk.Meta{Args: args("env"), Env: []string{"A=1"}}, result{Stdout: "A=1\nHOME=/\n"}},
		{"limits", bk.Meta{Args: args("core-limit"), Ulimit: []*pb.Ulimit{{Name: "core", Soft: 5, Hard: 6}}}, result{Stdout: "5 6\n"}},
		{"a working directory that is missing", bk.Meta{Args: args("cwd"), Cwd: "/made/for/it"}, result{Stdout: "/made/for/it\n"}},
		{"read-only root", bk.Meta{Args: args("write", "/x", "x"), ReadonlyRootFS: true}, result{Stderr: "open /x: read-only file system\n", Code: 1}},
		{"writable root", bk.Meta{Args: args("write", "/x", "x")}, result{}},
		{"hosts", bk.Meta{Args: args("contains", "/etc/hosts", "10.1.2.3\tdb"), ExtraHosts: []bk.HostIP{{Host: "db", IP: net.IPv4(10, 1, 2, 3)}}}, result{Stdout: "yes\n"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := b.run(t, test.meta)
			if diff := cmp.Diff(test.want, result{got.Stdout, got.Stderr, got.Code, nil}, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("%v (-want +got)\n%s", got.err, diff)
			}
		})
	}
}

func TestBadSteps(t *testing.T) {
	b := newBench(t, executor.Options{})
	tests := []struct {
		name string
		meta bk.Meta
		want string
	}{
		{"no command", bk.Meta{}, "a step without a command"},
		{"no such user", bk.Meta{Args: args("id"), User: "ghost"}, `user "ghost" of the image: unable to find user ghost: no matching entries in passwd file`},
		{"unknown limit", bk.Meta{Args: args("id"), Ulimit: []*pb.Ulimit{{Name: "beer"}}}, `ulimit "beer" is not known`},
		{"device", bk.Meta{Args: args("id"), CDIDevices: []*pb.CDIDevice{{Name: "x"}}}, "CDI devices are not supported by the embedded builder"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := b.run(t, test.meta); got.err == nil || got.err.Error() != test.want {
				t.Errorf("got %v, want %q", got.err, test.want)
			}
		})
	}
}

func TestUsersOfTheImage(t *testing.T) {
	b := newBench(t, executor.Options{})
	etc := filepath.Join(b.root, "etc")
	if err := os.Mkdir(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	passwd := "root:x:0:0::/root:/bin/sh\napp:x:77:88::/home/app:/bin/sh\n"
	if err := os.WriteFile(filepath.Join(etc, "passwd"), []byte(passwd), 0o644); err != nil {
		t.Fatal(err)
	}
	// Without /etc/group; that was an error in older BuildKits.
	if got := b.run(t, bk.Meta{Args: args("id"), User: "app"}); got.Stdout != "77 88 []\n" {
		t.Errorf("%+v", got)
	}
	if got := b.run(t, bk.Meta{Args: args("getenv", "HOME"), User: "app"}); got.Stdout != "/home/app\n" {
		t.Errorf("%+v", got)
	}
}

func TestMountsOfAStep(t *testing.T) {
	b := newBench(t, executor.Options{})
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"file": "top", "sub/file": "below"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "evil")); err != nil {
		t.Fatal(err)
	}
	upper, work := t.TempDir(), t.TempDir()
	overlay := source{{Type: "overlay", Source: "overlay", Options: []string{"lowerdir=" + dir, "upperdir=" + upper, "workdir=" + work}}}
	if container.SingleID() {
		overlay[0].Options = append(overlay[0].Options, "userxattr")
	}
	tests := []struct {
		name  string
		mount bk.Mount
		args  []string
		want  string
	}{
		{"bind", bk.Mount{Src: bind(dir), Dest: "/mnt"}, args("cat", "/mnt/file"), "top"},
		{"a part of it", bk.Mount{Src: bind(dir), Dest: "/mnt", Selector: "sub"}, args("cat", "/mnt/file"), "below"},
		{"a file of it", bk.Mount{Src: bind(dir), Dest: "/run/secret", Selector: "sub/file"}, args("cat", "/run/secret"), "below"},
		{"read-only", bk.Mount{Src: bind(dir), Dest: "/mnt", Readonly: true}, args("write", "/mnt/x", "x"), "open /mnt/x: read-only file system\n"},
		{"memory", bk.Mount{Src: source{{Type: "tmpfs", Source: "tmpfs", Options: []string{"size=1m"}}}, Dest: "/mnt"}, args("list", "/mnt"), ""},
		{"overlay", bk.Mount{Src: overlay, Dest: "/mnt"}, args("cat", "/mnt/sub/file"), "below"},
		{"a part of an overlay", bk.Mount{Src: overlay, Dest: "/mnt", Selector: "/sub"}, args("cat", "/mnt/file"), "below"},
		{"a relative target", bk.Mount{Src: bind(dir), Dest: "mnt"}, args("cat", "/mnt/file"), "top"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := b.run(t, bk.Meta{Args: test.args, RemoveMountStubsRecursive: true}, test.mount)
			if got.Stdout+got.Stderr != test.want {
				t.Errorf("%+v, want %q", got, test.want)
			}
		})
	}
	got := b.run(t, bk.Meta{Args: args("list", "/mnt")}, bk.Mount{Src: bind(dir), Dest: "/mnt", Selector: "evil"})
	if got.err == nil || !strings.Contains(got.err.Error(), "no such file") {
		t.Errorf("a link out of the source was followed: %+v", got)
	}
	for _, stub := range []string{"mnt", "run", "etc"} {
		if _, err := os.Stat(filepath.Join(b.root, stub)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the mount point /%s stays in the layer: %v", stub, err)
		}
	}
}

func TestNetwork(t *testing.T) {
	b := newBench(t, executor.Options{NoNetwork: true})
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\nhost")
			_ = c.Close()
		}
	}()
	for mode, reached := range map[pb.NetMode]bool{pb.NetMode_UNSET: false, pb.NetMode_NONE: false, pb.NetMode_HOST: true} {
		got := b.run(t, bk.Meta{Args: args("dial", l.Addr().String()), NetMode: mode})
		if (got.Stdout == "host") != reached {
			t.Errorf("%s: %+v", mode, got)
		}
	}
}

func TestSecurity(t *testing.T) {
	b := newBench(t, executor.Options{})
	if got := b.run(t, bk.Meta{Args: args("attack", "mount", "unshare-user", "clone3", "write-sysctl", "use-device", "write-sysfs")}); strings.Contains(got.Stdout, "WORKED") || got.err != nil {
		t.Errorf("%+v", got)
	}
	if got := b.run(t, bk.Meta{Args: args("contains", "/proc/self/status", "CapEff:\t00000000a80425fb\n")}); got.err != nil {
		t.Errorf("not Docker's capabilities: %s", got.Stderr)
	}
	if err := os.Mkdir(filepath.Join(b.root, "tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := b.run(t, bk.Meta{Args: args("attack", "mount"), SecurityMode: pb.SecurityMode_INSECURE}); !strings.Contains(got.Stdout, "mount: WORKED") {
		t.Errorf("insecure: %+v %v", got, got.err)
	}
}

func TestResources(t *testing.T) {
	b := newBench(t, executor.Options{Resources: container.Resources{Memory: 256 << 20}})
	if len(b.Weaknesses()) > 0 {
		t.Skip(b.Weaknesses())
	}
	got := b.run(t, bk.Meta{Args: args("eat", "200000000"), LinuxResources: &pb.LinuxResources{Memory: 64 << 20}})
	if got.Code != 137 || !errors.Is(got.err, syscall.ENOMEM) {
		t.Errorf("%+v %v", got, got.err)
	}
}
