//go:build linux

package stage

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// confine gives the calling thread, and what it executes, the identity and the limits of p. It must be the last step
// before the process is executed, on a thread that is locked and never used for anything else afterwards.
// The order matters: limits and groups while there is CAP_SYS_RESOURCE and CAP_SETGID, the bounding set while there is
// CAP_SETPCAP, the filter last because it forbids what the steps before it do.
func confine(p *Process) error {
	if err := setRlimits(p.Rlimits); err != nil {
		return err
	}
	unix.Umask(0o022)
	if err := dropBounding(p.Capabilities); err != nil {
		return failure("drop capabilities", err)
	}
	if err := setIDs(p); err != nil {
		return err
	}
	if err := setCapabilities(p); err != nil {
		return failure("set capabilities", err)
	}
	if !p.NewPrivileges {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return failure("set no_new_privs", err)
		}
	}
	return failureOrNil("load the seccomp filter", loadFilter(p.Seccomp))
}

// setRlimits limits the whole of this process, and what it executes.
func setRlimits(limits []Rlimit) error {
	for _, l := range limits {
		if err := unix.Setrlimit(l.Resource, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}); err != nil {
			return failure(fmt.Sprintf("set resource limit %d to %d:%d", l.Resource, l.Soft, l.Hard), err)
		}
	}
	return nil
}

// dropBounding takes every capability that is not in keep from the bounding set. The kernel may know more of them than
// this program does, so the end of the list is where the kernel says EINVAL.
func dropBounding(keep uint64) error {
	for c := range uintptr(64) {
		if keep&(1<<c) != 0 {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// setIDs changes the ids of this thread only: the wrappers of package syscall change those of the whole process.
func setIDs(p *Process) error {
	groups := make([]uint32, len(p.Groups), len(p.Groups)+1)
	for i, g := range p.Groups {
		groups[i] = uint32(g)
	}
	var first unsafe.Pointer
	if len(groups) > 0 {
		first = unsafe.Pointer(&groups[0])
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(first), 0)
	// A user namespace with one id only may not set groups; it has none that could be dropped either.
	if errno != 0 && (errno != unix.EPERM || len(groups) > 0) {
		return failure(fmt.Sprintf("set the supplementary groups %v", p.Groups), errno)
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return failure("keep capabilities", err)
	}
	gid := uintptr(p.GID)
	if _, _, errno = unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return failure(fmt.Sprintf("become group %d%s", p.GID, notMapped(errno)), errno)
	}
	uid := uintptr(p.UID)
	if _, _, errno = unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return failure(fmt.Sprintf("become user %d%s", p.UID, notMapped(errno)), errno)
	}
	return failureOrNil("keep capabilities", unix.Prctl(unix.PR_SET_KEEPCAPS, 0, 0, 0, 0))
}

func notMapped(errno syscall.Errno) string {
	if errno == unix.EINVAL {
		return " (this user namespace has no such id; ranges in /etc/subuid and /etc/subgid, with newuidmap and newgidmap, give it more)"
	}
	return ""
}

func setCapabilities(p *Process) error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	set := p.Capabilities
	if p.UID != 0 {
		set = 0
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return err
	}
	for i, word := range []uint32{uint32(set), uint32(set >> 32)} {
		data[i].Permitted &= word // this program may itself lack some
		data[i].Effective, data[i].Inheritable = data[i].Permitted, 0
	}
	return unix.Capset(&head, &data[0])
}

// loadFilter loads a seccomp filter for this thread.
func loadFilter(filter []byte) error {
	if len(filter) == 0 {
		return nil
	}
	const size = int(unsafe.Sizeof(unix.SockFilter{}))
	if len(filter)%size != 0 || len(filter)/size > unix.BPF_MAXINSNS {
		return fmt.Errorf("a filter of %d bytes", len(filter))
	}
	program := unix.SockFprog{Len: uint16(len(filter) / size), Filter: (*unix.SockFilter)(unsafe.Pointer(&filter[0]))}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}

// executables are the paths to try for name, in order, as execvp(3) does.
func executables(name string, env []string) []string {
	for i := range len(name) {
		if name[i] == '/' {
			return []string{name}
		}
	}
	path := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, v := range env {
		if len(v) >= 5 && v[:5] == "PATH=" {
			path = v[5:]
		}
	}
	var found []string
	for dir := range splitPath(path) {
		if dir == "" {
			dir = "."
		}
		found = append(found, dir+"/"+name)
	}
	return found
}

func splitPath(path string) func(func(string) bool) {
	return func(yield func(string) bool) {
		start := 0
		for i := 0; i <= len(path); i++ {
			if i == len(path) || path[i] == os.PathListSeparator {
				if !yield(path[start:i]) {
					return
				}
				start = i + 1
			}
		}
	}
}

// tryEach calls try with each executable until it succeeds and returns the most telling error otherwise: a file that may
// not be executed says more than one that does not exist.
func tryEach(p *Process, try func(path string) error) error {
	var result error = unix.ENOENT
	for _, path := range executables(p.Args[0], p.Env) {
		err := try(path)
		if err == nil {
			return nil
		}
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		result = err
		if !errors.Is(err, unix.EACCES) {
			break
		}
	}
	f := failure("exec "+p.Args[0], result)
	f.Program = true
	return f
}

func failureOrNil(op string, err error) error {
	if err == nil {
		return nil
	}
	return failure(op, err)
}
