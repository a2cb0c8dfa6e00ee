//go:build linux

package container_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/internal/reexec"
	"github.com/plimsoll-dev/plimsoll/internal/testenv"
)

// needsGroups skips a test where control groups cannot be made, which the supervisor must own up to.
func needsGroups(t *testing.T, b *bench) {
	t.Helper()
	if w := b.Weaknesses(); len(w) > 0 {
		if os.Geteuid() == 0 {
			t.Error("root has no control groups here")
		}
		t.Skip(strings.Join(w, "; "))
	}
}

func TestMemoryLimit(t *testing.T) {
	b := newBench(t)
	needsGroups(t, b)
	spec := b.spec("eat", "200000000")
	spec.Resources.Memory = 64 << 20
	want := container.Exit{Code: 137, Signal: syscall.SIGKILL, OOM: true}
	if diff := cmp.Diff(want, b.run(t, spec).Exit); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// A process that was started later counts for itself, and a kill by us is none by the limit, even after one.
	spec = b.spec("sleep")
	spec.Resources.Memory = 64 << 20
	r, err := b.start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	x, err := r.c.Exec(t.Context(), container.Process{Args: []string{"/probe", "eat", "200000000"}}, container.Stdio{})
	if err != nil {
		t.Fatal(err)
	}
	if exit, err := x.Wait(t.Context()); err != nil || !exit.OOM {
		t.Errorf("%+v, %v", exit, err)
	}
	if err := r.c.Signal(t.Context(), syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	o, err := r.finish(t.Context())
	if diff := cmp.Diff(container.Exit{Code: 137, Signal: syscall.SIGKILL}, o.Exit); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestLimitsAreWhatTheContainerSees(t *testing.T) {
	b := newBench(t)
	needsGroups(t, b)
	if _, err := os.Stat("/sys/fs/cgroup/memory"); err != nil {
		t.Skip("the files have other names in version 2")
	}
	spec := b.spec("cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.shares")
	spec.Resources = container.Resources{Memory: 64 << 20, PIDs: 20, CPUs: 1.5, CPUShares: 512}
	if diff := cmp.Diff("67108864\n20\n150000\n512\n", b.run(t, spec).Stdout); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	spec = b.spec("cat", "/sys/fs/cgroup/cpuset/cpuset.cpus")
	spec.Resources.CPUSet = "0"
	spec.Resources.Parent = "a/b"
	if diff := cmp.Diff("0\n", b.run(t, spec).Stdout); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestProcessLimit(t *testing.T) {
	b := newBench(t)
	if os.Geteuid() == 0 {
		needsGroups(t, b)
	}
	spec := b.spec("bomb")
	spec.Resources.PIDs = 30
	r, err := b.start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(<-r.lines, ":")
	if !strings.HasPrefix(line, "started ") || !strings.HasSuffix(line, "processes, then") {
		t.Error(line)
	}
	// One more process may or may not fit; nothing may hang.
	x, err := r.c.Exec(t.Context(), container.Process{Args: []string{"/probe", "exit", "0"}}, container.Stdio{})
	if err == nil {
		_, err = x.Wait(t.Context())
	}
	t.Logf("exec among %d processes: %v", spec.Resources.PIDs, err)
	began := time.Now()
	if err := r.c.Remove(t.Context()); err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("removed after %s: %v", time.Since(began), err)
	}
	r.copies.Wait()
	// The smallest limit that a Go program lives with; the helper before it needs more.
	spec = b.spec("exit", "0")
	spec.Resources.PIDs = 8
	if o := b.run(t, spec); o.Exit.Code != 0 {
		t.Errorf("%+v", o)
	}
}

func TestUsage(t *testing.T) {
	b := newBench(t)
	r, err := b.start(t.Context(), b.spec("eat", "50000000"))
	if err != nil {
		t.Fatal(err)
	}
	<-r.lines
	u, err := r.c.Usage(t.Context())
	if len(b.Weaknesses()) > 0 {
		if !errors.Is(err, syscall.ENOTSUP) {
			t.Errorf("%+v, %v", u, err)
		}
		return
	}
	if err != nil || u.Memory < 45<<20 || u.Memory > 100<<20 || u.PIDs < 1 || u.CPU <= 0 {
		t.Errorf("%+v, %v", u, err)
	}
}

func init() { reexec.Hook("plimsoll-test-forbidden", forbidden) } //nolint:gochecknoinits // the exception: this program run again

// forbidden is in a user namespace in which no further ones are allowed.
func forbidden() {
	err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0)
	if err == nil {
		_, err = container.NewSupervisor(context.Background(), container.Options{UserNamespace: true})
	}
	if err == nil || !errors.Is(err, container.ErrUnavailable) {
		fmt.Print("not ErrUnavailable: ")
	}
	if err != nil {
		fmt.Print(err)
	}
}

func TestWithoutUserNamespaces(t *testing.T) {
	testenv.NeedsUserNamespaces(t)
	var out bytes.Buffer
	cmd := reexec.Command("plimsoll-test-forbidden")
	cmd.Stdout, cmd.Stderr = &out, &out
	if _, err := container.StartInUserNamespace(t.Context(), cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	want := "containers cannot be run here: user 0 may not make user namespaces (fork/exec /proc/self/exe: no space left on device): " +
		"the administrator can allow it with: sysctl -w user.max_user_namespaces=15000; or run as root, or use Docker"
	if out.String() != want {
		t.Errorf("got  %s\nwant %s", &out, want)
	}
}

func TestCapabilityNames(t *testing.T) {
	set, err := container.Capabilities("NET_RAW", "cap_sys_admin")
	if err != nil {
		t.Fatal(err)
	}
	got := container.CapabilityNames(set)
	slices.Sort(got)
	if diff := cmp.Diff([]string{"CAP_NET_RAW", "CAP_SYS_ADMIN"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := container.Capabilities("FLY"); err == nil || err.Error() != `capability "FLY" is not known; the names are those of capabilities(7)` {
		t.Error(err)
	}
}
