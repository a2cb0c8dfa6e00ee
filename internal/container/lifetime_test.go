//go:build linux

package container_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/internal/reexec"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

func init() { reexec.Hook("plimsoll-test-victim", victim) } //nolint:gochecknoinits // the exception: this program run again

// victim starts a supervisor with containers, says so and waits to be killed. Its arguments are a root and a directory
// for temporary files.
func victim() {
	_ = os.Setenv("TMPDIR", os.Args[2])
	s, err := container.NewSupervisor(context.Background(), container.Options{UserNamespace: container.NeedsUserNamespace(), OwnMounts: true})
	if err == nil {
		for _, id := range []string{"one", "two"} {
			_, err = s.Start(context.Background(), container.Spec{
				ID: id, Hostname: id, Root: os.Args[1], Network: "net", Scratch: 1 << 20,
				Process: container.Process{Args: []string{"/probe", "background", "stubborn"}},
			}, container.Stdio{})
		}
	}
	fmt.Println(s.PID(), err)
	time.Sleep(time.Hour)
}

// traces are what a supervisor and its containers leave on the machine while they run.
type traces struct {
	pidNamespaces map[string]bool
	groups        []string // control group directories
}

// tracesOf finds the processes below a supervisor, by its PID namespace and those below it.
func tracesOf(t *testing.T, supervisor int) traces {
	t.Helper()
	tr := traces{pidNamespaces: map[string]bool{}}
	for _, pid := range descendants(supervisor) {
		ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
		if err != nil {
			t.Fatal(err)
		}
		tr.pidNamespaces[ns] = true
		cgroups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(cgroups)) {
			parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
			if strings.Contains(parts[2], "plimsoll-") {
				dir := filepath.Join("/sys/fs/cgroup", parts[1], parts[2])
				if _, err := os.Stat(dir); err == nil {
					tr.groups = append(tr.groups, dir, filepath.Dir(dir))
				}
			}
		}
	}
	return tr
}

func descendants(pid int) []int {
	all := []int{pid}
	for n := 0; n < len(all); n++ {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[n]))
		for _, task := range tasks {
			data, _ := os.ReadFile(task)
			for field := range strings.FieldsSeq(string(data)) {
				child, _ := strconv.Atoi(field)
				all = append(all, child)
			}
		}
	}
	return all
}

// remaining says what is still there, or "".
func (tr traces) remaining() string {
	links, _ := filepath.Glob("/proc/[0-9]*/ns/pid")
	for _, link := range links {
		if ns, err := os.Readlink(link); err == nil && tr.pidNamespaces[ns] {
			return "a process: " + link
		}
	}
	for _, dir := range tr.groups {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			return "a control group: " + dir
		}
	}
	return ""
}

func eventuallyGone(t *testing.T, remaining func() string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left := remaining()
		if left == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("there remains " + left)
		}
	}
}

func emptyDir(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 0 {
		return "a file: " + entries[0].Name()
	}
	return ""
}

func TestNothingOutlivesAKilledProgram(t *testing.T) {
	root, temp := newRoot(t), t.TempDir()
	tests := []struct {
		name  string
		kill  func(program, supervisor int) error
		clean bool // at once
	}{
		// Then the supervisor cleans up.
		{"the program is killed", func(program, _ int) error { return syscall.Kill(program, syscall.SIGKILL) }, true},
		// Then the kernel kills what it held; the next supervisor removes its control groups and files.
		{"the supervisor is killed", func(_, supervisor int) error { return syscall.Kill(supervisor, syscall.SIGKILL) }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cmd := reexec.Command("plimsoll-test-victim", root, temp)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			line, err := bufio.NewReader(out).ReadString('\n')
			supervisor, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			pid, convErr := strconv.Atoi(supervisor)
			if err != nil || convErr != nil || rest != "<nil>" {
				t.Fatal(line, err)
			}
			tr := tracesOf(t, pid)
			if len(tr.pidNamespaces) != 3 { // the supervisor's and two containers'
				t.Fatalf("%+v", tr)
			}
			if os.Geteuid() == 0 && len(tr.groups) == 0 {
				t.Error("no control groups to look at")
			}
			if err := test.kill(cmd.Process.Pid, pid); err != nil {
				t.Fatal(err)
			}
			if !test.clean {
				groups := tr.groups
				tr.groups = nil
				eventuallyGone(t, tr.remaining)
				tr.groups = groups
				t.Setenv("TMPDIR", temp)
				next, err := container.NewSupervisor(t.Context(), container.Options{UserNamespace: container.NeedsUserNamespace()})
				if err != nil {
					t.Fatal(err)
				}
				defer next.Close()
			}
			eventuallyGone(t, tr.remaining)
			eventuallyGone(t, func() string { return emptyDir(t, temp) })
		})
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	sandboxtest.Probe(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	root := newRoot(t)
	ignore := goleak.IgnoreCurrent()
	files := openFiles(t)
	b := &bench{root: root}
	var err error
	b.Supervisor, err = container.NewSupervisor(t.Context(), container.Options{UserNamespace: container.NeedsUserNamespace(), OwnMounts: true})
	if err != nil {
		t.Fatal(err)
	}
	var tr traces
	for n, program := range []string{"sleep", "exit", "missing", "sleep"} {
		spec := b.spec(program, "0")
		spec.ID, spec.Hostname, spec.Network, spec.Scratch = fmt.Sprint(n), fmt.Sprint(n), "net", 1<<20
		if program == "missing" {
			spec.Process.Args[0] = "/missing"
		}
		r, err := b.start(t.Context(), spec)
		if program == "missing" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			if _, err := r.c.Exec(t.Context(), spec.Process, container.Stdio{}); err != nil {
				t.Error(err)
			}
			tr = tracesOf(t, b.PID())
		}
		if n < 3 { // the last one is left to the supervisor
			if err := r.c.Remove(t.Context()); err != nil {
				t.Error(err)
			}
			r.copies.Wait()
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if left := tr.remaining(); left != "" {
		t.Error("there remains " + left)
	}
	if left := emptyDir(t, temp); left != "" {
		t.Error("there remains " + left)
	}
	for _, dir := range []string{temp, root} {
		if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(mounts), dir) {
			t.Errorf("there remains a mount in %s: %v\n%s", dir, err, mounts)
		}
	}
	goleak.VerifyNone(t, ignore)
	if got := openFiles(t); got > files {
		out, _ := exec.CommandContext(t.Context(), "ls", "-l", "/proc/self/fd").CombinedOutput()
		t.Errorf("%d open files before, %d after; a child sees\n%s", files, got, out)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestNothingGrows: a supervisor that has run many containers holds no more than one that has run a few.
func TestNothingGrows(t *testing.T) {
	b := newBench(t)
	cycle := func(n int) {
		for i := range n {
			spec := b.spec("exit", "0")
			spec.Network, spec.Hostname = fmt.Sprint("net", i), "alone"
			if i%3 == 0 {
				spec.Process.Args[0] = "/missing"
				if _, err := b.start(t.Context(), spec); !container.IsExec(err) {
					t.Fatal(err)
				}
				continue
			}
			b.run(t, spec)
		}
	}
	open := func() int {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", b.PID()))
		if errors.Is(err, fs.ErrPermission) {
			t.Skip(err) // of a user namespace's root
		}
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	cycle(3)
	before, mine := open(), openFiles(t)
	cycle(12)
	if after := open(); after > before+2 { // the runtime may open one or the other itself
		t.Errorf("the supervisor has %d open files, and had %d", after, before)
	}
	if after := openFiles(t); after > mine+2 {
		t.Errorf("this program has %d open files, and had %d", after, mine)
	}
}
