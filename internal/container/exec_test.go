//go:build linux

package container_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/internal/container"
)

func TestExec(t *testing.T) {
	b := newBench(t)
	spec := b.spec("sleep")
	spec.Hostname = "greeter"
	r, err := b.start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	process := spec.Process
	exec := func(args ...string) output {
		t.Helper()
		p := process
		p.Args = append([]string{"/probe"}, args...)
		r2 := &running{lines: make(chan string, 100)}
		stdio, begin := r2.pipes()
		x, err := r.c.Exec(t.Context(), p, stdio)
		begin()
		if err != nil {
			return output{Stderr: err.Error()}
		}
		exit, err := x.Wait(t.Context())
		if err != nil {
			t.Error(err)
		}
		r2.copies.Wait()
		return output{r2.out.String(), r2.errs.String(), exit}
	}
	if diff := cmp.Diff(output{Stdout: "greeter\n"}, exec("hostname")); diff != "" {
		t.Errorf("it is not in the container's host name (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(output{Exit: container.Exit{Code: 4}}, exec("exit", "4")); diff != "" {
		t.Errorf("exit code (-want +got)\n%s", diff)
	}
	o := exec("write", "/tmp/x", "text")
	if diff := cmp.Diff(output{}, o); diff != "" {
		t.Errorf("write (-want +got)\n%s", diff)
	}
	f, err := r.c.Open(t.Context(), "/tmp/x")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if data, err := io.ReadAll(f); err != nil || string(data) != "text" {
		t.Errorf("the file is %q, %v", data, err)
	}
	status := exec("cat", "/proc/self/status").Stdout
	for _, want := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, want) {
			t.Errorf("the status of the process lacks %q", want)
		}
	}
	process.UID, process.GID = 33, 44
	if o := exec("id"); o.Stdout != "33 44 []\n" {
		t.Errorf("another user: %+v", o)
	}
	if _, err := r.c.Exec(t.Context(), container.Process{Args: []string{"/missing"}}, container.Stdio{}); !container.IsExec(err) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing program: %v", err)
	}
	if err := r.c.Remove(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := r.c.Exec(t.Context(), process, container.Stdio{}); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("exec in a removed container: %v", err)
	}
}

func TestTerminal(t *testing.T) {
	b := newBench(t)
	spec := b.spec("sleep")
	r, err := b.start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	process := spec.Process
	process.Args, process.Terminal = []string{"/probe", "tty"}, true
	x, err := r.c.Exec(t.Context(), process, container.Stdio{})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(x.Terminal) // it ends with EIO
	if string(text) != "terminal of 0 rows and 0 columns\r\n" {
		t.Errorf("exec: %q", text)
	}
	x.Terminal.Close()
	if _, err := x.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	spec = b.spec("tty")
	spec.ID, spec.Process.Terminal = "second", true
	c, err := b.Start(t.Context(), spec, container.Stdio{})
	if err != nil {
		t.Fatal(err)
	}
	text, _ = io.ReadAll(c.Terminal)
	if string(text) != "terminal of 0 rows and 0 columns\r\n" {
		t.Errorf("start: %q", text)
	}
	c.Terminal.Close()
}
