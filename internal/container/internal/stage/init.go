//go:build linux

package stage

import (
	"errors"
	"math"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/internal/reexec"
)

func init() { //nolint:gochecknoinits // the exception: this program run again
	reexec.Hook(InitName, initMain)
	reexec.Hook(EnterName, enterMain)
	reexec.Hook(VisitName, visitMain)
	reexec.Hook(NestedName, nestedMain)
	reexec.Hook(SupervisorName, supervisorMain)
	reexec.Hook(MappedName, mappedMain)
	reexec.Hook(GuestName, guestMain)
}

// syncFD is the helper's end of the socket to whoever started it.
const syncFD = 3

// initMain is PID 1 of a new container: it was born in new namespaces, makes the container's world and becomes the
// container's first process by executing it. The socket closes by that; a message on it means that it went wrong.
func initMain() {
	sync, err := helperSocket()
	if err != nil {
		os.Exit(1)
	}
	if err := becomeContainer(sync); err != nil {
		_ = sync.Send(stageMessage{Failure: failure("start", err)})
	}
	os.Exit(1)
}

func helperSocket() (*Conn, error) {
	unix.CloseOnExec(syncFD)
	return NewConn(os.NewFile(syncFD, "supervisor"))
}

func becomeContainer(sync *Conn) error {
	// First it waits to be put into its control groups, because a control group namespace begins where it is made.
	if _, err := sync.Receive(&struct{}{}); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil && !errors.Is(err, unix.EINVAL) {
		return failure("new cgroup namespace", err)
	}
	namespaces, err := openNamespaces()
	if err != nil {
		return err
	}
	if err := sync.Send(stageMessage{}, namespaces...); err != nil {
		return err
	}
	CloseAll(namespaces)

	// Then for the spec, which comes when the network interface is there.
	var m initMessage
	if _, err := sync.Receive(&m); err != nil {
		return err
	}
	spec := m.Spec
	// Without a session keyring of its own the container would share that of whoever started the program.
	_, _ = unix.KeyctlJoinSessionKeyring("_plimsoll")
	if !spec.HostNetwork {
		if err := configureNetwork(m.Address); err != nil {
			return err
		}
	}
	hostname := spec.Hostname
	if hostname == "" {
		hostname = spec.ID
	}
	if err := unix.Sethostname([]byte(hostname)); err != nil {
		return failure("set the host name "+hostname, err)
	}
	if err := enterRoot(&m); err != nil {
		return err
	}
	return becomeProcess(sync, &spec.Process)
}

// becomeProcess makes this process p, which succeeds without returning.
func becomeProcess(sync *Conn, p *Process) error {
	if err := prepareStdio(sync, p); err != nil {
		return err
	}
	if p.Terminal {
		if err := unix.IoctlSetInt(0, unix.TIOCSCTTY, 0); err != nil {
			return failure("control the terminal", err)
		}
	}
	if err := changeDir(p.Dir); err != nil {
		return err
	}
	if err := closeOnExec(); err != nil {
		return failure("close files", err)
	}
	if err := confine(p); err != nil {
		return err
	}
	if err := sync.Send(stageMessage{Ready: true}); err != nil {
		return err
	}
	if err := sync.awaitRelease(); err != nil {
		return failure("wait for the supervisor", err)
	}
	return tryEach(p, func(path string) error { return syscall.Exec(path, p.Args, p.Env) })
}

// prepareStdio makes stdin, stdout and stderr the process's own, or a terminal whose master it sends to the supervisor.
func prepareStdio(sync *Conn, p *Process) error {
	if !p.Terminal {
		return ownStdio(p)
	}
	terminal, err := openTerminal(p)
	if err != nil {
		return err
	}
	defer terminal.Close()
	return sync.Send(stageMessage{}, terminal)
}

// stageMessage is what the supervisor hears from a helper. A helper that is Ready waits to be released; then the end of
// the socket means success. (One that says a PID has done its work instead.)
type stageMessage struct {
	Failure *Failure
	Ready   bool
	PID     int   // of a process that was started by the enter or the guest helper
	Exit    *Exit // of that process, from the guest helper
}

// initMessage is what the supervisor tells a new container.
type initMessage struct {
	Spec    *Spec
	Address string         // in the private network, "10.86.0.2/16"
	Hosts   string         // host path of the network's hosts file
	Groups  []ControlGroup // to show in /sys/fs/cgroup
	Scratch string         // host path of the memory for the scratch layer
}

// namespaceNames are the namespaces of a container that others may enter, in the order of entering.
func namespaceNames() []string { return []string{"cgroup", "ipc", "uts", "net", "pid", "mnt"} }

func openNamespaces() ([]*os.File, error) {
	var files []*os.File
	for _, name := range namespaceNames() {
		f, err := os.Open("/proc/thread-self/ns/" + name)
		if err != nil {
			CloseAll(files)
			return nil, failure("open namespace "+name, err)
		}
		files = append(files, f)
	}
	return files, nil
}

func changeDir(dir string) error {
	if dir == "" {
		dir = "/"
	}
	return failureOrNil("change to directory "+dir, unix.Chdir(dir))
}

// ownStdio makes the standard files the process's own.
func ownStdio(p *Process) error {
	for fd := range 3 {
		null, err := own(fd, p)
		if err != nil {
			return err
		}
		if null < 0 {
			continue
		}
		err = unix.Dup3(null, fd, 0)
		_ = unix.Close(null)
		if err != nil {
			return failure("use /dev/null", err)
		}
	}
	return nil
}

// own makes a standard file the process's own. It may open /dev/stdout and the like again, which takes rights to a pipe;
// and it must not be able to change the mode of the host's null device, so it gets the container's instead: if null is
// not negative, it is that one, open.
func own(fd int, p *Process) (null int, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, failure("look at a standard file", err)
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFIFO:
		_ = unix.Fchown(fd, p.UID, p.GID) // an id that does not exist here cannot own it
	case st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3):
		null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		return null, failureOrNil("open /dev/null", err)
	}
	return -1, nil
}

// closeOnExec makes sure that no file but stdin, stdout and stderr reaches the container.
func closeOnExec() error {
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err == nil {
		return nil
	}
	entries, err := os.ReadDir("/proc/self/fd") // before Linux 5.11
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return err
}
