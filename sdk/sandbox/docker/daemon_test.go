package docker_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

// relay is the daemon at another address, which can be stopped without stopping it for everybody.
type relay struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func newRelay(t *testing.T, network, address string, secure *tls.Config) *relay {
	t.Helper()
	testenv.NeedsDocker(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	r := &relay{Listener: l}
	t.Cleanup(r.stop)
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := (&net.Dialer{}).DialContext(context.WithoutCancel(t.Context()), "unix", "/var/run/docker.sock")
			if err != nil {
				_ = from.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, from, to)
			r.mu.Unlock()
			go func() { _, _ = io.Copy(to, from); closeWrite(to) }()
			go func() { _, _ = io.Copy(from, to); closeWrite(from) }()
		}
	}()
	return r
}

func closeWrite(c net.Conn) { _ = c.(interface{ CloseWrite() error }).CloseWrite() }

func (r *relay) stop() {
	_ = r.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
}

func TestNoDaemon(t *testing.T) {
	for _, host := range []string{"unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"} {
		_, err := docker.New(t.Context(), docker.Options{Host: host})
		if err == nil || !strings.Contains(err.Error(), "no daemon answers at "+host) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := docker.New(t.Context(), docker.Options{Host: "nonsense"}); err == nil {
		t.Error("an address that is none was accepted")
	}
}

func TestDaemonStops(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "docker.sock")
	r := newRelay(t, "unix", socket, nil)
	defer newRuntime(t) // sweeps nothing, but checks that nothing is left
	rt, err := docker.New(t.Context(), docker.Options{Host: "unix://" + socket})
	if err != nil {
		t.Fatal(err)
	}
	i, err := rt.Start(t.Context(), sandbox.Spec{Image: sandboxtest.Image(t, v1.Config{}), Platform: sandboxtest.Platform(), Args: []string{"sleep"}})
	if err != nil {
		t.Fatal(err)
	}
	r.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, waitErr := i.Wait(ctx)
	_, execErr := i.(sandbox.Execer).Exec(ctx, sandbox.Command{Args: []string{"/probe", "exit", "0"}})
	_, dialErr := i.Dial(ctx, "tcp", 80)
	_, startErr := rt.Start(ctx, sandbox.Spec{Image: sandboxtest.Image(t, v1.Config{}), Platform: sandboxtest.Platform()})
	for name, err := range map[string]error{"wait": waitErr, "exec": execErr, "dial": dialErr, "start": startErr, "close": i.Close(ctx), "close the runtime": rt.Close()} {
		if err == nil || !strings.Contains(err.Error(), socket) || !strings.Contains(err.Error(), "answer") {
			t.Errorf("%s: %v does not say that the daemon is gone", name, err)
		}
	}
	// It comes back.
	again := newRelay(t, "unix", socket, nil)
	defer again.stop()
	if err := rt.Close(); err != nil {
		t.Errorf("close when the daemon is back: %v", err)
	}
}

// A daemon elsewhere runs this program beside it, which looks into instances for us.
func TestDaemonElsewhere(t *testing.T) {
	newRuntime(t)
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	r := newRelay(t, "tcp", "127.0.0.1:0", &tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12})
	rt := newRuntimeOf(t, docker.Options{
		Host: "tcp://" + r.Addr().String(), TLS: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
	})
	sandboxtest.Run(t, sandboxtest.Options{
		New: func(t *testing.T) sandbox.Runtime {
			t.Helper()
			return rt
		},
		Only: []string{"Dial", "Inspect", "Restart", "ExecStopsWithItsCtx"},
	})
}

func TestDaemonElsewhereWithoutAHelper(t *testing.T) {
	newRuntime(t)
	r := newRelay(t, "tcp", "127.0.0.1:0", nil)
	rt := newRuntimeOf(t, docker.Options{Host: "tcp://" + r.Addr().String(), Helper: []byte("no program")})
	i := start(t, rt, sandbox.Spec{Args: []string{"sleep"}})
	if _, err := i.Dial(t.Context(), "tcp", 80); err == nil || !strings.Contains(err.Error(), "helper") {
		t.Errorf("dial: %v", err)
	}
}

// A daemon behind SSH is reached as the docker command does it: ssh runs docker there.
func TestDaemonBehindSSH(t *testing.T) {
	newRuntime(t)
	rt := newRuntimeOf(t, docker.Options{Host: "ssh://" + newSSH(t)})
	i := start(t, rt, sandbox.Spec{Args: []string{"serve", "8080"}})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if out, err := i.Exec(ctx, sandbox.Command{Args: []string{"/probe", "exit", "3"}}); err != nil || out.Exit.Code != 3 {
		t.Errorf("exec: %+v, %v", out, err)
	}
	for {
		sockets, err := i.Listening(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(sockets) > 0 && sockets[0].Port == 8080 {
			break
		}
	}
	conn, err := i.Dial(ctx, "tcp", 8080)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if logs, err := i.Logs(ctx); err != nil || !strings.Contains(string(logs.Stdout), "listening on 8080") {
		t.Errorf("log: %q, %v", logs.Stdout, err)
	}
}

// newSSH starts a server on loopback and lets the ssh command of this process log in to it. It returns its address.
func newSSH(t *testing.T) string {
	t.Helper()
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		sshd = "/usr/sbin/sshd"
	}
	missing := ""
	for _, name := range []string{sshd, "ssh", "ssh-keygen", "docker"} {
		if _, err := exec.LookPath(name); err != nil {
			missing = err.Error()
		}
	}
	testenv.Needs(t, "sshd", missing)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, key := range []string{"host", "mine"} {
		if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(address)
	// The server's own settings are not read; -D keeps it a child of this process. Debian's wants a directory of its own.
	_ = os.MkdirAll("/run/sshd", 0o755)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), sshd, "-D", "-e", "-f", "/dev/null", "-p", port, "-h", filepath.Join(dir, "host"),
		"-o", "ListenAddress=127.0.0.1", "-o", "AuthorizedKeysFile="+filepath.Join(dir, "mine.pub"), "-o", "StrictModes=no",
		"-o", "UsePAM=no", "-o", "PidFile=none", "-o", "MaxStartups=100")
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("sshd: %s", log.String())
		}
	})
	script := "#!/bin/sh\nexec " + must(exec.LookPath("ssh")) + " -F /dev/null -i " + filepath.Join(dir, "mine") +
		" -o UserKnownHostsFile=" + filepath.Join(dir, "known") + " -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for ready := false; !ready; ready = (exec.CommandContext(t.Context(), "ssh", "-p", port, "127.0.0.1", "true").Run() == nil) {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return me.Username + "@" + address
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}
