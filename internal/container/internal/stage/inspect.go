//go:build linux

package stage

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// within runs f on a thread inside some of the container's namespaces, but with the supervisor's rights: f must only do
// what cannot be turned against it.
func (c *container) within(f func() error, names ...string) error {
	c.mu.Lock()
	namespaces := c.namespaces
	c.mu.Unlock()
	if len(namespaces) == 0 {
		return syscall.ESRCH
	}
	var entered []*os.File
	for _, name := range names {
		entered = append(entered, namespaces[slices.Index(namespaceNames(), name)])
	}
	return within(entered, f)
}

func (c *container) running() error {
	p, err := c.process(0)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return syscall.ESRCH
	default:
		return nil
	}
}

// dial connects to a port of the container from inside its network: on loopback, or at the address that it has there.
func (c *container) dial(network string, port int, timeout time.Duration) (f *os.File, err error) {
	if err := c.running(); err != nil {
		return nil, err
	}
	hosts := []string{"127.0.0.1", "::1"}
	if c.address.IsValid() {
		hosts = append(hosts, c.address.String())
	}
	err = c.within(func() error {
		var first error
		for _, host := range hosts {
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			// Only a literal address keeps the dialer on this thread.
			conn, err := (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(host, strconv.Itoa(port)))
			cancel()
			if err != nil {
				if first == nil {
					first = err
				}
				continue
			}
			defer conn.Close()
			switch conn := conn.(type) {
			case *net.TCPConn:
				f, err = conn.File()
			case *net.UDPConn:
				f, err = conn.File()
			default:
				err = fmt.Errorf("network %q is not tcp or udp", network)
			}
			return err
		}
		return first
	}, "net")
	return f, err
}

// open opens a regular file for reading as the container sees it.
func (c *container) open(name string) (f *os.File, err error) {
	if err := c.running(); err != nil {
		return nil, failure("open "+name, err)
	}
	err = c.within(func() error {
		// Not to wait for the writer of a pipe, and not to be led out through the links of /proc.
		f, err = OpenIn("/", name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
		if err != nil {
			return failure("open "+name, err)
		}
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = &Failure{Op: "open " + name, Text: "it is not a regular file but " + info.Mode().Type().String()}
		}
		if err != nil {
			_ = f.Close()
		}
		return err
	}, "mnt")
	return f, err
}

// listProcesses reads the container's own /proc.
func (c *container) listProcesses() (list []ProcessInfo, err error) {
	if err := c.running(); err != nil {
		return nil, err
	}
	err = c.within(func() error {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return err
		}
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil {
				continue
			}
			p, err := readProcess(pid)
			if err != nil { // it has ended meanwhile
				continue
			}
			if c.single {
				p.UID = innerID(p.UID, path.Join("/proc", e.Name(), "uid_map"))
				p.GID = innerID(p.GID, path.Join("/proc", e.Name(), "gid_map"))
			}
			list = append(list, p)
		}
		return nil
	}, "mnt")
	slices.SortFunc(list, func(a, b ProcessInfo) int { return a.PID - b.PID })
	return list, err
}

// maxProcFile bounds what is read of a file in /proc, which the container can make as long as its arguments may be.
const maxProcFile = 1 << 20

func readProc(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxProcFile))
	return string(data), err
}

func readProcess(pid int) (ProcessInfo, error) {
	dir := path.Join("/proc", strconv.Itoa(pid))
	p := ProcessInfo{PID: pid}
	status, err := readProc(path.Join(dir, "status"))
	if err != nil {
		return p, err
	}
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		fields := strings.Fields(value)
		if len(fields) == 0 {
			continue
		}
		switch key {
		case "State":
			p.State = fields[0]
		case "PPid":
			p.Parent, _ = strconv.Atoi(fields[0])
		case "Uid":
			p.UID, _ = strconv.Atoi(fields[min(1, len(fields)-1)]) // the effective one
		case "Gid":
			p.GID, _ = strconv.Atoi(fields[min(1, len(fields)-1)])
		case "CapEff":
			p.Capabilities, _ = strconv.ParseUint(fields[0], 16, 64)
		case "NoNewPrivs":
			p.NoNewPrivs = fields[0] == "1"
		case "Seccomp":
			p.Seccomp = fields[0] == "2"
		}
	}
	command, err := readProc(path.Join(dir, "cmdline"))
	if err != nil {
		return p, err
	}
	if command = strings.TrimSuffix(command, "\x00"); command != "" {
		p.Args = strings.Split(command, "\x00")
	}
	return p, nil
}

// usage reads the container's control groups.
func (c *container) usage() (u Usage, err error) {
	if err := c.running(); err != nil {
		return u, err
	}
	for _, need := range []struct {
		controllers string
		read        func(ControlGroup) error
	}{
		{"memory", func(g ControlGroup) (err error) { u.Memory, err = g.memory(); return err }},
		{"pids", func(g ControlGroup) (err error) {
			n, err := g.number("pids.current")
			u.PIDs = int(n)
			return err
		}},
		{"cpuacct", func(g ControlGroup) (err error) { u.CPU, err = g.cpu(); return err }},
	} {
		i := slices.IndexFunc(c.groups, func(g ControlGroup) bool { return g.Unified || g.has(need.controllers) })
		if i < 0 {
			return u, &Failure{Op: "measure " + c.spec.ID, Text: "there is no control group with the " + need.controllers + " controller", Errno: syscall.ENOTSUP}
		}
		if err := need.read(c.groups[i]); err != nil {
			return u, failure("measure "+c.spec.ID, err)
		}
	}
	return u, nil
}

// listening reads the sockets of the container's network namespace.
func (c *container) listening() (list []Socket, err error) {
	if err := c.running(); err != nil {
		return nil, err
	}
	err = c.within(func() error {
		for _, network := range []string{"tcp", "tcp6", "udp", "udp6"} {
			// All processes of a container share its network; PID 1 is there as long as the container is.
			table, err := readProc("/proc/1/net/" + network)
			if errors.Is(err, os.ErrNotExist) { // a kernel without IPv6
				continue
			}
			if err != nil {
				return err
			}
			sockets, err := parseSockets(network, table)
			if err != nil {
				return err
			}
			list = append(list, sockets...)
		}
		return nil
	}, "mnt")
	return list, err
}

// parseSockets reads /proc/net/tcp and its siblings, described in proc_pid_net(5).
func parseSockets(network, table string) ([]Socket, error) {
	const tcpListen, udpUnconnected = "0A", "07"
	var list []Socket
	for i, line := range slices.Collect(strings.Lines(table)) {
		fields := strings.Fields(line)
		if i == 0 || len(fields) < 4 {
			continue
		}
		if state := fields[3]; state != tcpListen && (strings.HasPrefix(network, "tcp") || state != udpUnconnected) {
			continue
		}
		address, port, ok := strings.Cut(fields[1], ":")
		number, err := strconv.ParseUint(port, 16, 16)
		ip, ipErr := kernelAddress(address)
		if !ok || err != nil || ipErr != nil {
			return nil, fmt.Errorf("/proc/net/%s: line %d: %q is not an address", network, i+1, fields[1])
		}
		list = append(list, Socket{Network: network, Address: ip.String(), Port: int(number)})
	}
	return list, nil
}

// kernelAddress decodes an address as the kernel prints it: 32-bit words in the machine's byte order.
func kernelAddress(text string) (netip.Addr, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b)%4 != 0 {
		return netip.Addr{}, fmt.Errorf("%q: %w", text, errors.Join(err, errors.New("not whole words")))
	}
	if littleEndian() {
		for i := 0; i < len(b); i += 4 {
			slices.Reverse(b[i : i+4])
		}
	}
	ip, ok := netip.AddrFromSlice(b)
	if !ok {
		return ip, fmt.Errorf("%q is not an address", text)
	}
	return ip, nil
}
