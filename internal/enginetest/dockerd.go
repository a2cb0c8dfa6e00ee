package enginetest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
)

// Dockerd is a Docker daemon of a test's own: with its own state, no networks, and nothing of it left afterwards.
type Dockerd struct {
	// Host is its address, "unix://...".
	Host string

	t    testing.TB
	dir  string
	args []string
	cmd  *exec.Cmd
	log  bytes.Buffer
}

// StartDockerd starts a daemon with further arguments. It needs root and dockerd.
func StartDockerd(t testing.TB, args ...string) *Dockerd {
	t.Helper()
	testenv.NeedsDocker(t)
	testenv.NeedsRoot(t)
	if _, err := exec.LookPath("dockerd"); err != nil {
		testenv.Needs(t, "docker", err.Error())
	}
	dir, err := os.MkdirTemp("", "dockerd") //nolint:usetesting // sockets need a short path
	if err != nil {
		t.Fatal(err)
	}
	d := &Dockerd{Host: "unix://" + dir + "/docker.sock", t: t, dir: dir, args: args}
	t.Cleanup(func() {
		d.Stop()
		if t.Failed() {
			t.Logf("dockerd:\n%s", tail(d.log.String(), 4000))
		}
		_ = exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-c", "for m in $(grep -o '"+dir+"[^ ]*' /proc/mounts | sort -r); do umount -l $m; done").Run()
		if err := os.RemoveAll(dir); err != nil {
			t.Log(err)
		}
	})
	d.Start()
	return d
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// Start starts it, also again after [Dockerd.Stop], on the same state.
func (d *Dockerd) Start() {
	d.t.Helper()
	args := append([]string{
		"--host", d.Host, "--data-root", d.dir + "/data", "--exec-root", d.dir + "/exec", "--pidfile", d.dir + "/pid",
		"--config-file", d.dir + "/none.json", "--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false",
		"--storage-driver", "vfs", "--log-level", "warn",
	}, d.args...)
	if err := os.WriteFile(d.dir+"/none.json", []byte("{}"), 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.cmd = exec.CommandContext(context.Background(), "dockerd", args...)
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	// In a network namespace of its own: a daemon without a bridge deletes docker0, which is another daemon's.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Cloneflags: syscall.CLONE_NEWNET}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if conn, err := dial(filepath.Join(d.dir, "docker.sock")); err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("dockerd does not answer:\n%s", tail(d.log.String(), 4000))
		}
	}
}

// Stop stops it and waits for its end.
func (d *Dockerd) Stop() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { _ = d.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		_ = d.cmd.Process.Kill()
		<-done
	}
	d.cmd = nil
}

// Run runs the docker command against it and returns what it wrote, on both streams.
func (d *Dockerd) Run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", append([]string{"--host", d.Host}, args...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Load puts an image into it.
func (d *Dockerd) Load(archive []byte) {
	d.t.Helper()
	cmd := exec.CommandContext(context.Background(), "docker", "--host", d.Host, "load")
	cmd.Stdin = bytes.NewReader(archive)
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("docker load: %v: %s", err, out)
	}
}

// Import makes an image of one layer, without history, of the files of a container.
func (d *Dockerd) Import(ref, container string) {
	d.t.Helper()
	export := exec.CommandContext(context.Background(), "docker", "--host", d.Host, "export", container)
	files, err := export.Output()
	if err != nil {
		d.t.Fatalf("docker export: %v", err)
	}
	cmd := exec.CommandContext(context.Background(), "docker", "--host", d.Host, "import", "-", ref)
	cmd.Stdin = bytes.NewReader(files)
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("docker import: %v: %s", err, out)
	}
}

// Must is [Dockerd.Run], and fails the test on an error.
func (d *Dockerd) Must(args ...string) string {
	d.t.Helper()
	out, err := d.Run(args...)
	if err != nil {
		d.t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// Eventually waits until ok says so, a minute at most.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: it did not happen in time", what)
		}
	}
}
