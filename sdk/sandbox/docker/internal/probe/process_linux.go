package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Process is a process of an instance, held by its directory in /proc: when it ends, reading fails, and no process that
// gets its number is mistaken for it.
type Process struct {
	pid int
	dir *os.File
}

// MayEnter says whether this user may enter the namespaces of others.
func MayEnter() bool { return os.Geteuid() == 0 }

// Open opens a process that the daemon has told, and makes sure that it is one of the container: in a container of
// its own, this process sees others under the same numbers.
func Open(pid int, container string) (*Process, error) {
	dir, err := os.Open("/proc/" + strconv.Itoa(pid))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		p := &Process{pid: pid, dir: dir}
		groups, err := p.read("cgroup")
		if err == nil && strings.Contains(groups, container) {
			return p, nil
		}
		p.Close()
	}
	return nil, fmt.Errorf("process %d: %w", pid, ErrNotSeen)
}

// Dir is the process's directory in /proc, open as long as the process is.
func (p *Process) Dir() *os.File { return p.dir }

// Close lets go of the process.
func (p *Process) Close() { _ = p.dir.Close() }

// Kill kills the process.
func (p *Process) Kill(context.Context) error { return unix.Kill(p.pid, unix.SIGKILL) }

// open opens an entry of the process's directory.
func (p *Process) open(name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(int(p.dir.Fd()), name, flags|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.ENOENT):
		return nil, os.ErrProcessDone
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return nil, fmt.Errorf("%w for uid %d: /proc/%d/%s may only be opened by root: run the test as root", sandbox.ErrUnsupported, os.Geteuid(), p.pid, name)
	case err != nil:
		return nil, &os.PathError{Op: "open", Path: fmt.Sprintf("/proc/%d/%s", p.pid, name), Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (p *Process) read(name string) (string, error) {
	f, err := p.open(name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxProcFile))
	if errors.Is(err, unix.ESRCH) {
		err = os.ErrProcessDone
	}
	return string(data), err
}

// Dial connects to a port from inside the process's network namespace.
func (p *Process) Dial(ctx context.Context, network string, port int) (net.Conn, error) {
	ns, err := p.open("ns/net", unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	type result struct {
		conn net.Conn
		err  error
	}
	dialled := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread, which is in the namespace, ends with the goroutine
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			dialled <- result{nil, fmt.Errorf("%w: enter its network (%w): run the test as root", sandbox.ErrUnsupported, err)}
			return
		}
		conn, err := dialSelf(ctx, network, port)
		dialled <- result{conn, err}
	}()
	r := <-dialled
	return r.conn, r.err
}

// dialSelf connects to a port of the network namespace that this thread is in: on loopback, or at another of its addresses.
func dialSelf(ctx context.Context, network string, port int) (net.Conn, error) {
	hosts := []string{"127.0.0.1", "::1"}
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
			hosts = append(hosts, ip.IP.String())
		}
	}
	var all error
	for _, host := range hosts {
		// Only a literal address keeps the dialer on this thread.
		conn, err := (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			return conn, nil
		}
		if all == nil {
			all = err
		}
	}
	return nil, all
}

// ReadFile reads a regular file in the root directory of the process.
func (p *Process) ReadFile(_ context.Context, name string, limit int64) ([]byte, error) {
	root, err := p.open("root", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	fd, err := unix.Openat2(int(root.Fd()), name, &unix.OpenHow{
		// Not to wait for the writer of a pipe, and not to be led out through the links of /proc.
		Flags:   unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("it is not a regular file but %s", info.Mode().Type())
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// Emulates looks for an interpreter that the kernel loads itself (flag F): others are not found in an instance's root.
func Emulates(arch string) bool {
	name := arch
	if other, ok := map[string]string{"arm64": "aarch64", "amd64": "x86_64", "386": "i386"}[arch]; ok {
		name = other
	}
	entry, err := os.ReadFile("/proc/sys/fs/binfmt_misc/qemu-" + name)
	if err != nil {
		return false
	}
	enabled, fixed := false, false
	for line := range strings.Lines(string(entry)) {
		line = strings.TrimSpace(line)
		enabled = enabled || line == "enabled"
		flags, ok := strings.CutPrefix(line, "flags: ")
		fixed = fixed || ok && strings.Contains(flags, "F")
	}
	return enabled && fixed
}
