//go:build linux

package stage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNotJoined is why a container cannot be joined such that the process would be confined as its others are.
var ErrNotJoined = errors.New("the container cannot be joined from here")

// Joiner lets processes into containers that another runtime has made on this machine.
type Joiner struct {
	exe *os.File // this program, in a way that a container cannot write to
}

// NewJoiner opens what it needs. The caller closes it.
func NewJoiner() (*Joiner, error) {
	exe, err := sealedExecutable()
	if err != nil {
		return nil, err
	}
	defer exe.Close()
	high, err := highNumber(exe)
	return &Joiner{exe: high}, err
}

// Close closes it. Guests stay.
func (j *Joiner) Close() error { return j.exe.Close() }

// Guest is a helper in the control groups of a container.
type Guest struct {
	helper *helper
	once   sync.Once
}

// Join starts a helper in the control groups of member, which is the directory of a process in /proc. An error that wraps
// [ErrNotJoined] says that a process could not be confined there as the others are.
func (j *Joiner) Join(member *os.File, limits []Rlimit) (*Guest, error) {
	if err := sameRights(member); err != nil {
		return nil, err
	}
	namespaces, err := namespacesOf(member)
	if err != nil {
		return nil, err
	}
	defer CloseAll(namespaces)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	// A session of its own keeps Ctrl-C away from it.
	h, err := startHelper(j.exe, GuestName, []*os.File{null, null, null}, &syscall.SysProcAttr{Setsid: true})
	if err != nil {
		return nil, err
	}
	g := &Guest{helper: h}
	if err = admitTo(member, h.cmd.Process.Pid); err == nil {
		err = h.conn.Send(guestMessage{Rlimits: limits}, namespaces...)
	}
	if err == nil {
		_, _, err = h.receive()
	}
	if err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// Close ends the helper, so that nothing of it is left in the control groups. Processes that it has started go on, but
// nobody learns how they end.
func (g *Guest) Close() {
	g.once.Do(func() {
		_ = g.helper.signal(syscall.SIGKILL)
		_ = g.helper.cmd.Wait()
		_ = g.helper.conn.Close()
	})
}

// Start starts a process in the container: in its namespaces and control groups, and confined as p says. The resource
// limits of p must be empty: they are the helper's.
func (g *Guest) Start(p *Process, stdio []*os.File) (*Joined, error) {
	ours, theirs, err := SocketPair()
	if err != nil {
		return nil, err
	}
	err = g.helper.conn.Send(p, append(slices.Clip(stdio), theirs)...)
	_ = theirs.Close()
	started := &Joined{conn: ours}
	if err == nil {
		var m stageMessage
		m, started.handle, err = started.receive()
		started.pid = m.PID
	}
	if err != nil {
		started.close()
		return nil, err
	}
	return started, nil
}

// Joined is a process that was started in a container.
type Joined struct {
	conn   *Conn
	pid    int
	handle []*os.File // a pidfd, where the kernel has them
}

// receive waits for a message that is no failure.
func (j *Joined) receive() (m stageMessage, files []*os.File, err error) {
	files, err = j.conn.Receive(&m)
	if errors.Is(err, io.EOF) {
		err = &Failure{Op: "exec", Text: "the helper in the container's control groups was killed, perhaps by one of their limits"}
	}
	if err == nil && m.Failure != nil {
		err = m.Failure
	}
	return m, files, err
}

// Wait waits until the process has ended. It is called once.
func (j *Joined) Wait() (Exit, error) {
	m, _, err := j.receive()
	if err == nil && m.Exit == nil {
		err = &Failure{Op: "wait", Text: "the helper does not say how the process ended"}
	}
	if err != nil {
		_ = j.Kill() // nobody waits for it any more
	}
	j.close()
	if err != nil {
		return Exit{}, err
	}
	return *m.Exit, nil
}

func (j *Joined) close() {
	_ = j.conn.Close()
	CloseAll(j.handle)
}

// Kill kills the process, which is not waited for yet.
func (j *Joined) Kill() error {
	if len(j.handle) == 0 {
		return unix.Kill(j.pid, unix.SIGKILL)
	}
	conn, err := j.handle[0].SyscallConn() // it may be closed meanwhile
	if err != nil {
		return err
	}
	if controlErr := conn.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), unix.SIGKILL, nil, 0) }); controlErr != nil {
		return controlErr
	}
	return err
}

// sameRights makes sure that there is nothing to a container's confinement that is not done here: no user namespace of its
// own, and no label of a security module (AppArmor, SELinux) other than that of this process.
func sameRights(member *os.File) error {
	var mine, theirs unix.Stat_t
	if err := unix.Stat("/proc/self/ns/user", &mine); err != nil {
		return fmt.Errorf("%w: %w", ErrNotJoined, err)
	}
	if err := unix.Fstatat(int(member.Fd()), "ns/user", &theirs, 0); err != nil {
		return fmt.Errorf("%w: %w", ErrNotJoined, err)
	}
	if mine.Ino != theirs.Ino {
		return fmt.Errorf("%w: it has a user namespace of its own", ErrNotJoined)
	}
	own, ownErr := os.ReadFile("/proc/self/attr/current")
	label, labelErr := readIn(member, "attr/current")
	if label != string(own) || (ownErr == nil) != (labelErr == nil) {
		return fmt.Errorf("%w: a security module labels its processes", ErrNotJoined)
	}
	return nil
}

func readIn(dir *os.File, name string) (string, error) {
	data, err := os.ReadFile(fdPath(dir) + "/" + name)
	return string(data), err
}

func namespacesOf(member *os.File) ([]*os.File, error) {
	var files []*os.File
	for _, name := range namespaceNames() {
		fd, err := unix.Openat(int(member.Fd()), "ns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			CloseAll(files)
			return nil, failure("open namespace "+name, err)
		}
		files = append(files, os.NewFile(uintptr(fd), name))
	}
	return files, nil
}

// admitTo puts a process into all control groups that a container's is in.
func admitTo(member *os.File, pid int) error {
	groups, err := readIn(member, "cgroup")
	if err != nil {
		return err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	already := slices.Collect(strings.Lines(string(own)))
	for line := range strings.Lines(groups) {
		if slices.Contains(already, line) {
			continue
		}
		dir, ok := groupDir(line, string(mounts))
		if !ok {
			return fmt.Errorf("%w: its control group %q is not mounted here", ErrNotJoined, strings.TrimSpace(line))
		}
		if err := (ControlGroup{Dir: dir}).write("cgroup.procs", strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("%w: join %s: %w", ErrNotJoined, dir, err)
		}
	}
	got, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cgroup"))
	if err == nil && string(got) != groups {
		err = fmt.Errorf("%w: the helper is not in all of its control groups", ErrNotJoined)
	}
	return err
}

// groupDir is where the group of a line of proc_pid_cgroup(5) is mounted.
func groupDir(line, mounts string) (string, bool) {
	_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
	controllers, path, _ := strings.Cut(rest, ":")
	for mount := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(strings.TrimSpace(mount), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(kind) < 3 {
			continue
		}
		if controllers == "" && kind[0] != "cgroup2" || controllers != "" && (kind[0] != "cgroup" || !hasAll(kind[2], controllers)) {
			continue
		}
		if dir, ok := below(fields[4], fields[3], path); ok {
			return dir, true
		}
	}
	return "", false
}

// hasAll says whether a mount's options name all of a hierarchy's controllers.
func hasAll(options, controllers string) bool {
	have := strings.Split(options, ",")
	for c := range strings.SplitSeq(controllers, ",") {
		if !slices.Contains(have, c) {
			return false
		}
	}
	return true
}
