//go:build linux

package stage

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// network is a private network: a bridge in a network namespace of its own, which nothing but its containers is
// connected to. Each container has one end of a veth pair, "eth0"; the other end is a port of the bridge.
type network struct {
	namespace *os.File
	hosts     string // path of the hosts file that all members see
	members   []*container
	last      netip.Addr
}

const (
	bridge = "br0"
	prefix = 16
)

// join connects a container that has its network namespace to its private network, which is made for the first member.
func (s *supervisor) join(c *container) (address, hosts string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.networks[c.spec.Network]
	if n == nil {
		if n, err = s.newNetwork(); err != nil {
			return "", "", err
		}
		s.networks[c.spec.Network] = n
	}
	for _, m := range n.members {
		if m != c && m.spec.Hostname == c.spec.Hostname {
			return "", "", &Failure{Op: "join network " + c.spec.Network, Text: "it already has a container named " + c.spec.Hostname}
		}
	}
	if !c.address.IsValid() { // after a restart it keeps the one that it had
		n.last = n.last.Next()
		c.address = n.last
	}
	port := fmt.Sprintf("v%d.%d", c.address.As4()[2], c.address.As4()[3])
	mine := c.namespaces[slices.Index(namespaceNames(), "net")]
	err = within([]*os.File{n.namespace}, func() error {
		if err := addVeth(port, "eth0", mine); err != nil {
			return failure("connect to network "+c.spec.Network, err)
		}
		if err := bridgeAdd(bridge, port); err != nil {
			return failure("connect to network "+c.spec.Network, err)
		}
		return setUp(port)
	})
	if !slices.Contains(n.members, c) { // also after an error: leave takes it out and cleans up
		n.members = append(n.members, c)
	}
	if err != nil {
		return "", "", err
	}
	if err := n.writeHosts(); err != nil {
		return "", "", failure("write the hosts file", err)
	}
	return netip.PrefixFrom(c.address, prefix).String(), n.hosts, nil
}

// leave takes a container out of its network; the last one takes the network with it.
func (s *supervisor) leave(c *container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.networks[c.spec.Network]
	if n == nil || !slices.Contains(n.members, c) {
		return
	}
	n.members = slices.DeleteFunc(n.members, func(m *container) bool { return m == c })
	if len(n.members) > 0 {
		_ = n.writeHosts()
		return
	}
	delete(s.networks, c.spec.Network)
	_ = n.namespace.Close()
	_ = os.Remove(n.hosts)
}

func (s *supervisor) newNetwork() (*network, error) {
	dir, err := s.lockedTempDir()
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "hosts-")
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o644); err != nil {
		return nil, err
	}
	n := &network{hosts: filepath.Clean(f.Name()), last: netip.AddrFrom4([4]byte{10, 86, 0, 1})}
	_ = f.Close()
	err = onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return failure("make a network namespace", err)
		}
		if err := addBridge(bridge); err != nil {
			return failure("make a network bridge", err)
		}
		if err := setUp(bridge); err != nil {
			return failure("make a network bridge", err)
		}
		var err error
		n.namespace, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		_ = os.Remove(n.hosts)
		return nil, err
	}
	return n, nil
}

// writeHosts writes the file in place, because the members have this very file mounted.
func (n *network) writeHosts() error {
	var b strings.Builder
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	for _, m := range n.members {
		fmt.Fprintf(&b, "%s\t%s\n", m.address, m.spec.Hostname)
	}
	return os.WriteFile(n.hosts, []byte(b.String()), 0o644)
}

// configureNetwork brings up the interfaces of the network namespace that this process is in.
func configureNetwork(address string) error {
	if err := setUp("lo"); err != nil {
		return failure("bring up the loopback interface (which takes CAP_NET_ADMIN)", err)
	}
	// As with Docker: in a network of its own a container may use the low ports without a capability.
	_ = os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0)
	if address == "" {
		return nil
	}
	p, err := netip.ParsePrefix(address)
	if err != nil {
		return failure("configure eth0", err)
	}
	if err := setAddress("eth0", p); err != nil {
		return failure("configure eth0", err)
	}
	return failureOrNil("bring up eth0", setUp("eth0"))
}

// onOwnThread runs f on a thread of its own that ends with it, so that f may change the thread in any way.
func onOwnThread(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		result <- f()
	}()
	return <-result
}

// within runs f on a thread that has joined the namespaces.
func within(namespaces []*os.File, f func() error) error {
	return onOwnThread(func() error {
		if err := joinNamespaces(namespaces); err != nil {
			return err
		}
		return f()
	})
}
