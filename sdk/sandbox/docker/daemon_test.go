package docker_test

import (
	"context"
	"errors"
	"io"
	"net"
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

func newRelay(t *testing.T, network, address string) *relay {
	t.Helper()
	testenv.NeedsDocker(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
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
	r := newRelay(t, "unix", socket)
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
	again := newRelay(t, "unix", socket)
	defer again.stop()
	if err := rt.Close(); err != nil {
		t.Errorf("close when the daemon is back: %v", err)
	}
}

func TestDaemonElsewhere(t *testing.T) {
	newRuntime(t)
	r := newRelay(t, "tcp", "127.0.0.1:0")
	rt := newRuntimeOf(t, docker.Options{Host: "tcp://" + r.Addr().String()})
	i := start(t, rt, sandbox.Spec{Args: []string{"sleep"}})
	if got, err := i.Exec(t.Context(), sandbox.Command{Args: []string{"/probe", "exit", "3"}}); err != nil || got.Exit.Code != 3 {
		t.Errorf("exec: %+v, %v", got, err)
	}
	_, dialErr := i.Dial(t.Context(), "tcp", 80)
	_, listErr := i.Processes(t.Context())
	for name, err := range map[string]error{"dial": dialErr, "processes": listErr} {
		if !errors.Is(err, sandbox.ErrUnsupported) || !strings.Contains(err.Error(), r.Addr().String()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
