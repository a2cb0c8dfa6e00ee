package probe

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// member is a process of the instance, by the number that it has on this machine.
type member struct {
	*Process
	info   sandbox.Process
	parent int // on this machine
}

// members are the processes in the PID namespace of this one. The caller closes them.
func (p *Process) members() ([]member, error) {
	mine, err := p.namespace()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var list []member
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		dir, err := os.Open("/proc/" + e.Name())
		if err != nil { // it has ended meanwhile, here as below
			continue
		}
		q := &Process{pid: pid, dir: dir}
		m := member{Process: q}
		if theirs, err := q.namespace(); err != nil || theirs != mine || m.describe() != nil {
			q.Close()
			continue
		}
		list = append(list, m)
	}
	return list, nil
}

// namespace is the PID namespace that the process is in.
func (p *Process) namespace() (string, error) {
	b := make([]byte, 64)
	n, err := unix.Readlinkat(int(p.dir.Fd()), "ns/pid", b)
	if err != nil {
		return "", fmt.Errorf("%w for uid %d: the namespaces of /proc/%d (%w): run the test as root", sandbox.ErrUnsupported, os.Geteuid(), p.pid, err)
	}
	return string(b[:n]), nil
}

// describe reads proc_pid_status(5) and the arguments.
func (m *member) describe() error {
	status, err := m.read("status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		fields := strings.Fields(value)
		if len(fields) == 0 {
			continue
		}
		switch last := fields[len(fields)-1]; key {
		case "NSpid":
			m.info.PID, _ = strconv.Atoi(last) // in the innermost namespace, which is the instance's
		case "State":
			m.info.State = fields[0]
		case "PPid":
			m.parent, _ = strconv.Atoi(last)
		case "Uid":
			m.info.UID, _ = strconv.Atoi(fields[min(1, len(fields)-1)]) // the effective one
		case "Gid":
			m.info.GID, _ = strconv.Atoi(fields[min(1, len(fields)-1)])
		case "CapEff":
			m.info.Capabilities, _ = strconv.ParseUint(last, 16, 64)
		case "NoNewPrivs":
			m.info.NoNewPrivs = last == "1"
		case "Seccomp":
			m.info.Seccomp = last == "2"
		}
	}
	command, err := m.read("cmdline")
	if command = strings.TrimSuffix(command, "\x00"); command != "" {
		m.info.Args = strings.Split(command, "\x00")
	}
	return err
}

func closeAll(list []member) {
	for _, m := range list {
		m.Close()
	}
}

// Processes lists the members by the numbers that they have in the instance.
func (p *Process) Processes(context.Context) ([]sandbox.Process, error) {
	members, err := p.members()
	defer closeAll(members)
	numbers := map[int]int{}
	for _, m := range members {
		numbers[m.pid] = m.info.PID
	}
	var list []sandbox.Process
	for _, m := range members {
		m.info.Parent = numbers[m.parent] // 0 if it is outside
		list = append(list, m.info)
	}
	slices.SortFunc(list, func(a, b sandbox.Process) int { return a.PID - b.PID })
	return list, err
}

// Listening lists the sockets that a member has open: the daemon has its own in the same namespace, for names.
func (p *Process) Listening(context.Context) ([]sandbox.Socket, error) {
	members, err := p.members()
	defer closeAll(members)
	if err != nil {
		return nil, err
	}
	open := map[string]bool{}
	for _, m := range members {
		for _, inode := range m.sockets() {
			open[inode] = true
		}
	}
	var list []sandbox.Socket
	for _, network := range []string{"tcp", "tcp6", "udp", "udp6"} {
		table, err := p.read("net/" + network)
		if err != nil {
			if network == "tcp6" || network == "udp6" { // a kernel without IPv6
				continue
			}
			return nil, err
		}
		sockets, err := parseSockets(network, table, open)
		if err != nil {
			return nil, err
		}
		list = append(list, sockets...)
	}
	return list, nil
}

// sockets are the inodes of the process's sockets.
func (p *Process) sockets() []string {
	fds, err := p.open("fd", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil
	}
	defer fds.Close()
	names, _ := fds.Readdirnames(-1)
	var list []string
	b := make([]byte, 64)
	for _, name := range names {
		n, err := unix.Readlinkat(int(fds.Fd()), name, b)
		if err != nil {
			continue
		}
		if inode, ok := strings.CutPrefix(string(b[:n]), "socket:["); ok {
			list = append(list, strings.TrimSuffix(inode, "]"))
		}
	}
	return list
}

// parseSockets reads /proc/pid/net/tcp and its siblings, described in proc_pid_net(5).
func parseSockets(network, table string, open map[string]bool) ([]sandbox.Socket, error) {
	const tcpListen, udpUnconnected = "0A", "07"
	var list []sandbox.Socket
	for i, line := range slices.Collect(strings.Lines(table)) {
		fields := strings.Fields(line)
		if i == 0 || len(fields) < 10 || !open[fields[9]] {
			continue
		}
		if state := fields[3]; state != tcpListen && (strings.HasPrefix(network, "tcp") || state != udpUnconnected) {
			continue
		}
		address, port, _ := strings.Cut(fields[1], ":")
		number, err := strconv.ParseUint(port, 16, 16)
		ip, ok := kernelAddress(address)
		if err != nil || !ok {
			return nil, fmt.Errorf("/proc/net/%s: line %d: %q is not an address", network, i+1, fields[1])
		}
		list = append(list, sandbox.Socket{Network: network, Address: ip.String(), Port: int(number)})
	}
	return list, nil
}

// kernelAddress decodes an address as the kernel prints it: 32-bit words in the machine's byte order.
func kernelAddress(text string) (netip.Addr, bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b)%4 != 0 {
		return netip.Addr{}, false
	}
	if littleEndian() {
		for i := 0; i < len(b); i += 4 {
			slices.Reverse(b[i : i+4])
		}
	}
	return netip.AddrFromSlice(b)
}

func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }
