//go:build linux

package container_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/internal/container"
)

func TestCapabilitySets(t *testing.T) {
	b := newBench(t)
	const build, none = "00000000a80425fb", "0000000000000000" // Docker's default set as its documentation prints it
	filter, err := container.DefaultFilter(container.BuildCapabilities())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		user int
		set  uint64
		want map[string]string
	}{
		{
			"root with a build's", 0, container.BuildCapabilities(),
			map[string]string{"CapInh": none, "CapPrm": build, "CapEff": build, "CapBnd": build, "CapAmb": none},
		},
		{
			"another user with a build's", 1000, container.BuildCapabilities(),
			map[string]string{"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": build, "CapAmb": none},
		},
		{"root with none", 0, 0, map[string]string{"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none}},
		{"another user with none", 1000, 0, map[string]string{"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := b.spec("cat", "/proc/self/status")
			p := &spec.Process
			p.UID, p.GID, p.Capabilities, p.Seccomp = test.user, test.user, test.set, filter
			got := map[string]string{}
			for line := range strings.Lines(b.run(t, spec).Stdout) {
				if name, value, _ := strings.Cut(line, ":"); strings.HasPrefix(name, "Cap") {
					got[name] = strings.TrimSpace(value)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestAttacks runs what a locked-down container must stop; the sandbox's own tests run it too.
func TestAttacks(t *testing.T) {
	b := newBench(t)
	for _, user := range []int{0, 1000} {
		spec := b.spec("attack")
		spec.Process.UID, spec.Process.GID = user, user
		if o := b.run(t, spec); strings.Contains(o.Stdout, "WORKED") || strings.Count(o.Stdout, "\n") < 20 {
			t.Errorf("user %d:\n%s%s", user, o.Stdout, o.Stderr)
		}
	}
}

// TestDevices: a build may make device files, and they are of no use.
func TestDevices(t *testing.T) {
	b := newBench(t)
	before, err := os.Stat("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	spec := b.spec("attack", "use-device", "use-device-in-dev", "chmod-mask")
	spec.ReadonlyRoot = false
	spec.Process.Capabilities = container.BuildCapabilities()
	if spec.Process.Seccomp, err = container.DefaultFilter(spec.Process.Capabilities); err != nil {
		t.Fatal(err)
	}
	o := b.run(t, spec)
	for line := range strings.Lines(o.Stdout) {
		if strings.HasPrefix(line, "use-device") && strings.HasSuffix(line, "WORKED\n") {
			t.Error(line)
		}
	}
	if !strings.Contains(o.Stdout, "use-device: ") || !strings.Contains(o.Stdout, "chmod-mask: ") {
		t.Errorf("%+v", o)
	}
	after, err := os.Stat("/dev/null")
	if err != nil || after.Mode() != before.Mode() {
		t.Errorf("the host's /dev/null was %s and is %v, %v", before.Mode(), after.Mode(), err)
	}
}

// TestProgramFile: the file of the program that makes containers cannot be written to from one (CVE-2019-5736).
func TestProgramFile(t *testing.T) {
	b := newBench(t)
	// A script whose interpreter is what executes it: this program, which becomes PID 1 once more. (If it is linked
	// dynamically it cannot, because the container lacks the libraries.)
	if err := os.WriteFile(filepath.Join(b.root, "script"), []byte("#!/proc/self/exe -test.run=TestSleeper\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	spec := b.spec()
	spec.Process.Args = []string{"/script"}
	spec.Process.Env = []string{"PLIMSOLL_TEST_SLEEP=1"}
	r, err := b.start(t.Context(), spec)
	if container.IsExec(err) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	spec.Process.Args = []string{"/probe", "read-only", "/proc/1/exe"}
	x, err := r.c.Exec(t.Context(), spec.Process, container.Stdio{Out: writer, Err: writer})
	writer.Close()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(&out, reader); err != nil {
		t.Error(err)
	}
	if _, err := x.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if out.String() != "true\n" {
		t.Errorf("the program's file lies on a read-only mount: %s", &out)
	}
	if err := r.c.Remove(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestSleeper is what TestProgramFile runs in its container.
func TestSleeper(*testing.T) {
	if os.Getenv("PLIMSOLL_TEST_SLEEP") != "" {
		time.Sleep(time.Hour)
	}
}

func TestMounts(t *testing.T) {
	b := newBench(t)
	outside := t.TempDir()
	for name, content := range map[string]string{"file": "of the host", "secret": "not for containers"} {
		if err := os.WriteFile(filepath.Join(outside, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	inside := filepath.Join(outside, "inside")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../secret", filepath.Join(inside, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/mnt", filepath.Join(b.root, "points-to-mnt")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		mount container.Mount
		args  []string
		want  string // in the output or in the error
	}{
		{"a bind", container.Mount{Type: "bind", Source: outside, Target: "/mnt"}, []string{"cat", "/mnt/file"}, "of the host"},
		{"of a file", container.Mount{Type: "bind", Source: outside + "/file", Target: "/deep/down/file"}, []string{"cat", "/deep/down/file"}, "of the host"},
		{"over a link, which stays in the root", container.Mount{Type: "bind", Source: outside, Target: "/points-to-mnt/sub"}, []string{"cat", "/mnt/sub/file"}, "of the host"},
		{"of a part", container.Mount{Type: "bind", Source: outside, Subpath: "inside", Target: "/mnt"}, []string{"list", "/mnt"}, "link"},
		{"of a part behind a link, which stays in the source", container.Mount{Type: "bind", Source: inside, Subpath: "link", Target: "/mnt"}, nil, "no such file"},
		{"read-only", container.Mount{Type: "bind", Source: outside, Target: "/mnt", Options: []string{"rbind", "ro"}}, []string{"write", "/mnt/x", "x"}, "read-only file system"},
		{"not executable", container.Mount{Type: "bind", Source: b.root, Target: "/mnt", Options: []string{"noexec"}}, []string{"run", "/mnt/probe"}, "permission denied"},
		{"a tmpfs with a size", container.Mount{Type: "tmpfs", Target: "/mnt", Options: []string{"size=64k"}}, []string{"fill", "/mnt/x", "1000000"}, "no space left"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := b.spec(test.args...)
			spec.Mounts = []container.Mount{test.mount}
			r, err := b.start(t.Context(), spec)
			if err != nil {
				if test.args != nil || !strings.Contains(err.Error(), test.want) {
					t.Error(err)
				}
				return
			}
			o, err := r.finish(t.Context())
			if err != nil || !strings.Contains(o.Stdout+o.Stderr, test.want) {
				t.Errorf("%v, %+v, want %q", err, o, test.want)
			}
		})
	}
}
