package sandboxtest

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

func (s *suite) dial(t *testing.T) {
	img := Image(t, v1.Config{})
	i := s.start(t, sandbox.Spec{Image: img, Args: []string{"serve", "8080"}})
	if got := ask(t, i, "/"); !strings.HasSuffix(got, "hello from the probe\n") {
		t.Errorf("%q", got)
	}
	if conn, err := i.Dial(t.Context(), "tcp", 8081); err == nil {
		conn.Close()
		t.Error("a port that nobody listens on was connected to")
	}
	if _, err := i.Dial(t.Context(), "icmp", 8080); err == nil {
		t.Error("a network that does not exist was dialled")
	}
	i = s.start(t, sandbox.Spec{Image: img, Args: []string{"listen-udp", "5353"}})
	ready(t, i, "listening on 5353")
	conn, err := i.Dial(t.Context(), "udp", 5353)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, err := conn.Read(b)
	if got := string(b[:n]); err != nil || got != "echo ping" {
		t.Errorf("%q, %v", got, err)
	}
}

func (s *suite) network(t *testing.T) {
	img := Image(t, v1.Config{})
	for _, name := range []string{"alpha", "beta"} { // both on the same port: each has its own address
		ready(t, s.start(t, sandbox.Spec{Image: img, Network: "shared", Name: name, Args: []string{"serve", "8080"}}), "listening on 8080")
	}
	lonely := s.start(t, sandbox.Spec{Image: img, Network: "other", Name: "gamma", Args: []string{"serve", "8080"}})
	ready(t, lonely, "listening on 8080")

	dial := func(network string, address string) (string, bool) {
		exit, logs := s.run(t, sandbox.Spec{Image: img, Network: network, Name: "client", Args: []string{"dial", address}})
		return string(logs.Stdout) + string(logs.Stderr), exit.Code == 0
	}
	for _, name := range []string{"alpha", "beta"} {
		if got, ok := dial("shared", name+":8080"); !ok || got != "hello from the probe\n" {
			t.Errorf("%s from its own network: %s", name, got)
		}
		if got, ok := dial("other", name+":8080"); ok {
			t.Errorf("%s from another network: %s", name, got)
		}
	}
	if got, ok := dial("other", "gamma:8080"); !ok {
		t.Errorf("gamma from its own network: %s", got)
	}

	// A service of this machine, on all its addresses.
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		ip, ok := a.(*net.IPNet)
		if !ok || ip.IP.IsLinkLocalUnicast() {
			continue
		}
		for _, network := range []string{"", "shared"} {
			if got, ok := dial(network, net.JoinHostPort(ip.IP.String(), port)); ok {
				t.Errorf("this machine's %s was reached from network %q: %s", ip.IP, network, got)
			}
		}
	}
}
