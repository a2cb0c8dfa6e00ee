//go:build linux

package stage

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// mountOne makes one of the spec's mounts.
func mountOne(spec *Spec, m Mount, source *os.File) error {
	op := fmt.Sprintf("mount %s on %s", m.Type, m.Target)
	flags, data := parseOptions(m.Options)
	directory := true
	if source != nil {
		var st unix.Stat_t
		if err := unix.Fstat(int(source.Fd()), &st); err != nil {
			return failure(op, err)
		}
		directory = st.Mode&unix.S_IFMT == unix.S_IFDIR
	}
	target, err := mountPoint(m.Target, directory)
	if err != nil {
		return failure(op, err)
	}
	defer target.Close()
	if !spec.Privileged {
		flags |= unix.MS_NODEV
	}
	switch m.Type {
	case "tmpfs":
		return failureOrNil(op, mount("tmpfs", fdPath(target), "tmpfs", flags, data))
	case "bind":
		if err := mount(fdPath(source), fdPath(target), "", unix.MS_BIND|flags&unix.MS_REC, ""); err != nil {
			return failure(op, err)
		}
		return failureOrNil(op, remountAt(m.Target, flags&^unix.MS_REC))
	default:
		return &Failure{Op: op, Text: "this type of mount is not known; use bind or tmpfs"}
	}
}

// parseOptions splits the options of mount(8) into flags and what is for the file system.
func parseOptions(options []string) (flags uintptr, data string) {
	known := map[string]uintptr{
		"ro": unix.MS_RDONLY, "rw": 0, "bind": 0, "rbind": unix.MS_REC, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV,
		"noexec": unix.MS_NOEXEC, "noatime": unix.MS_NOATIME, "relatime": unix.MS_RELATIME, "private": 0, "rprivate": 0,
		"suid": 0, "dev": 0, "exec": 0,
	}
	var rest []string
	for _, o := range options {
		if f, ok := known[o]; ok {
			flags |= f
		} else {
			rest = append(rest, o)
		}
	}
	return flags, strings.Join(rest, ",")
}

func mount(source, target, fstype string, flags uintptr, data string) error {
	return unix.Mount(source, target, fstype, flags, data)
}

// remountAt adds flags to the mount that lies on top of target, which may be a link.
func remountAt(target string, flags uintptr) error {
	f, err := OpenIn("/", target, unix.O_PATH)
	if err != nil {
		return err
	}
	defer f.Close()
	return remount(fdPath(f), flags)
}

// remount adds flags to a mount. In a user namespace the flags that it has already must be kept.
func remount(target string, flags uintptr) error {
	var st unix.Statfs_t
	if err := unix.Statfs(target, &st); err != nil {
		return err
	}
	kept := uintptr(st.Flags) & (unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	return mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|kept|flags, "")
}
