package fake

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Process is the world as a [Program] sees it.
type Process struct {
	Args           []string
	Env            []string // name=value
	User, Dir      string
	Stdin          io.Reader // never nil
	Stdout, Stderr io.Writer // safe for concurrent use

	instance *Instance
	signals  *signals
}

// Getenv returns the last value of the variable, or "".
func (p *Process) Getenv(name string) string {
	for _, v := range slices.Backward(p.Env) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// Signals returns the signals sent to the process, by number. From the first call on, the process handles them itself;
// until then any signal ends it. SIGKILL ends it always.
func (p *Process) Signals() <-chan int { return p.signals.handle() }

// Listen makes the instance listen on a TCP port, on all addresses; port 0 picks one. The listener is closed at the
// end of the instance at the latest.
func (p *Process) Listen(number int) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if number == 0 {
		number = l.Addr().(*net.TCPAddr).Port
	}
	return l, p.instance.serve(port{"tcp", number}, l.Addr().String(), l)
}

// ListenPacket is Listen for UDP.
func (p *Process) ListenPacket(number int) (net.PacketConn, error) {
	c, err := (&net.ListenConfig{}).ListenPacket(context.Background(), "udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if number == 0 {
		number = c.LocalAddr().(*net.UDPAddr).Port
	}
	return c, p.instance.serve(port{"udp", number}, c.LocalAddr().String(), c)
}

// Dial connects to "name:port" of the instance's private network; "localhost" is the instance itself.
func (p *Process) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, number, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	target := p.instance
	if host != "localhost" {
		if target = p.instance.runtime.peer(p.instance.spec.Network, host); target == nil {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
	}
	return target.Dial(ctx, network, n)
}

// ReadFile reads a file of the instance.
func (p *Process) ReadFile(path string) ([]byte, error) { return p.instance.readFile(path) }

// WriteFile writes a file of the instance, if its root is writable or the path lies under one of its tmpfs.
func (p *Process) WriteFile(path string, data []byte) error {
	i := p.instance
	if !i.writable(path) {
		return &os.PathError{Op: "write", Path: path, Err: os.ErrPermission}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.files[path] = slices.Clone(data)
	return nil
}
