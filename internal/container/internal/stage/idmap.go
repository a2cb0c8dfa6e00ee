//go:build linux

package stage

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// mapped says whether the container has a user namespace of its own.
func (s *Spec) mapped() bool { return s.MapUser != 0 || s.MapGroup != 0 }

// writeMaps gives the user namespace of a child one user and one group, which stand for the supervisor's root.
func writeMaps(pid, user, group int) error {
	// The /proc that is mounted may count the processes of another PID namespace than this one.
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return failure("open a proc file system", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return failure("open a proc file system", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return failure("open a proc file system", err)
	}
	proc := os.NewFile(uintptr(fd), "proc")
	defer proc.Close()
	for _, file := range []struct{ name, content string }{
		{"setgroups", "deny"}, {"gid_map", fmt.Sprintf("%d 0 1", group)}, {"uid_map", fmt.Sprintf("%d 0 1", user)},
	} {
		f, err := openAt(fd, fmt.Sprintf("%d/%s", pid, file.name), unix.O_WRONLY, 0)
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

// allCapabilities are those that this process has, as numbers.
func allCapabilities() []uintptr {
	var all []uintptr
	status, _ := os.ReadFile("/proc/thread-self/status")
	for line := range strings.Lines(string(status)) {
		var set uint64
		if n, _ := fmt.Sscanf(line, "CapEff: %x", &set); n == 1 {
			for c := range uintptr(64) {
				if set&(1<<c) != 0 {
					all = append(all, c)
				}
			}
		}
	}
	return all
}
