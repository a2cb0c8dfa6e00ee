//go:build linux

package stage

import (
	"errors"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

const noExec = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// mountProc mounts this PID namespace's /proc and returns it open: its files are masked through that descriptor.
func mountProc() (*os.File, error) {
	// fdPath needs /proc, so this one mount goes by its name. realDirectory has just seen that it is a directory, and
	// nothing else runs in this container yet.
	dir, err := realDirectory("/proc")
	if err != nil {
		return nil, err
	}
	_ = dir.Close()
	if err := mount("proc", "/proc", "proc", noExec, ""); err != nil {
		return nil, failure(ProcOp, err)
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, failure("open /proc", err)
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(proc.Fd()), &st); err != nil || st.Type != unix.PROC_SUPER_MAGIC {
		return nil, &Failure{Op: "open /proc", Text: "it is not a proc file system"}
	}
	return proc, nil
}

// maskProc hides or write-protects what Docker does: it lets a container look at or change the host.
func maskProc(proc, null *os.File) error {
	for _, name := range []string{
		"acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats",
	} {
		if err := mask(proc, name, null); err != nil {
			return failure("mask /proc/"+name, err)
		}
	}
	for _, name := range []string{"bus", "fs", "irq", "sys", "sysrq-trigger"} {
		f, err := openAt(int(proc.Fd()), name, unix.O_PATH, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err == nil {
			err = mount(fdPath(f), fdPath(f), "", unix.MS_BIND|unix.MS_REC, "")
			_ = f.Close()
		}
		if err == nil {
			err = remount("/proc/"+name, noExec|unix.MS_RDONLY)
		}
		if err != nil {
			return failure("make /proc/"+name+" read-only", err)
		}
	}
	return nil
}

// mask covers a file with the null device and a directory with an empty read-only one.
func mask(dir *os.File, name string, null *os.File) error {
	f, err := openAt(int(dir.Fd()), name, unix.O_PATH, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EACCES) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return mount("tmpfs", fdPath(f), "tmpfs", noExec|unix.MS_RDONLY, "size=0")
	}
	return mount(fdPath(null), fdPath(f), "", unix.MS_BIND, "")
}

// mountSys mounts /sys, read-only, with the container's control groups.
func mountSys(spec *Spec, o *outside, null *os.File, groups []ControlGroup) error {
	dir, err := realDirectory("/sys")
	if err != nil {
		return err
	}
	defer dir.Close()
	flags := uintptr(noExec | unix.MS_RDONLY)
	if spec.Privileged {
		flags = noExec
	}
	err = mount("sysfs", fdPath(dir), "sysfs", flags, "")
	if errors.Is(err, unix.EPERM) {
		// A user namespace may mount a sysfs of its own network only: this one is the host's, shared.
		if err = mount(fdPath(o.sys), fdPath(dir), "", unix.MS_BIND|unix.MS_REC, ""); err == nil {
			err = remount("/sys", flags)
		}
	}
	if err != nil {
		return failure("mount /sys", err)
	}
	if spec.Privileged {
		return nil
	}
	mountControlGroups(groups)
	sys, err := os.Open("/sys")
	if err != nil {
		return failure("open /sys", err)
	}
	defer sys.Close()
	for _, name := range []string{"firmware", "devices/virtual/powercap"} {
		if err := mask(sys, name, null); err != nil {
			return failure("mask /sys/"+name, err)
		}
	}
	return nil
}

// mountControlGroups shows the container its own limits, where language runtimes look for them. Where that cannot be
// mounted the directory stays empty, which says nothing wrong.
func mountControlGroups(groups []ControlGroup) {
	const base = "/sys/fs/cgroup"
	const flags = noExec | unix.MS_RDONLY
	if len(groups) == 1 && groups[0].Unified {
		_ = mount("cgroup2", base, "cgroup2", flags, "")
		return
	}
	if len(groups) == 0 || mount("tmpfs", base, "tmpfs", noExec, "mode=755") != nil {
		return
	}
	for _, g := range groups {
		target := path.Join(base, g.Controllers)
		if os.Mkdir(target, 0o755) != nil || mount("cgroup", target, "cgroup", flags, g.Controllers) != nil {
			continue
		}
		for name := range strings.SplitSeq(g.Controllers, ",") {
			if name != g.Controllers {
				_ = os.Symlink(g.Controllers, path.Join(base, name))
			}
		}
	}
	_ = remount(base, flags)
}
