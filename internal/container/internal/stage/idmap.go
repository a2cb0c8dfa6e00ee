//go:build linux

package stage

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// nested says whether a process needs a user namespace of its own: where there is one id only, that is the way to be
// somebody else than root.
func (s *supervisor) nested(p *Process) bool { return s.single && (p.UID != 0 || p.GID != 0) }

// singleID says whether this process's user namespace has one id only.
func singleID() bool {
	data, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(data))
	return err == nil && len(fields) == 3 && fields[2] == "1"
}

// nest makes a process begin in a user namespace of its own.
func nest(attributes *syscall.SysProcAttr) {
	attributes.Cloneflags |= unix.CLONE_NEWUSER
	attributes.AmbientCaps = allCapabilities() // or it would lose them, not being root there, when it is executed
}

// inUserNamespace says whether this process's user namespace is another than the host's, which has all ids there are.
func inUserNamespace() bool {
	data, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(data)), " ") != "0 0 4294967295"
}

// writeMaps gives the user namespace of a child the user and the group of p, which stand for the supervisor's root.
func writeMaps(pid int, p *Process) error {
	// The /proc that is mounted may count the processes of another PID namespace than this one.
	proc, err := openProc()
	if err != nil {
		return err
	}
	defer proc.Close()
	for _, file := range []struct{ name, content string }{
		{"setgroups", "deny"}, {"gid_map", fmt.Sprintf("%d 0 1", p.GID)}, {"uid_map", fmt.Sprintf("%d 0 1", p.UID)},
	} {
		f, err := openAt(int(proc.Fd()), fmt.Sprintf("%d/%s", pid, file.name), unix.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(file.content)
			_ = f.Close()
		}
		if err != nil {
			return failure("write "+file.name, err)
		}
	}
	return nil
}

// openProc opens a proc file system of this process's PID namespace that is mounted nowhere.
func openProc() (*os.File, error) {
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, failure(ProcOp, err)
	}
	defer unix.Close(fs) //nolint:errcheck // nothing was written to it
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, failure(ProcOp, err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, failure(ProcOp, err)
	}
	return os.NewFile(uintptr(fd), "proc"), nil
}

// innerID is what the user or group id of a process is in its own user namespace.
func innerID(id int, mapFile string) int {
	data, err := readProc(mapFile)
	if err != nil {
		return id
	}
	for line := range strings.Lines(data) {
		var inside, outside, count int
		if n, _ := fmt.Sscan(line, &inside, &outside, &count); n == 3 && id >= outside && id < outside+count {
			return inside + id - outside
		}
	}
	return id
}

// allCapabilities are those that this thread has, as numbers.
func allCapabilities() []uintptr {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&head, &data[0]) != nil {
		return nil
	}
	var all []uintptr
	for c := range uintptr(64) {
		if data[c/32].Effective&(1<<(c%32)) != 0 {
			all = append(all, c)
		}
	}
	return all
}
