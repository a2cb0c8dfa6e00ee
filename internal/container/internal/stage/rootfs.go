//go:build linux

package stage

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// enterRoot makes spec.Root this process's "/", with everything mounted in it.
//
// The new root becomes "/" first and is furnished then, with the old root still attached but out of reach of any path:
// so a link in the image leads into the image, whatever it says. What comes from the host is opened beforehand and
// mounted by its file descriptor.
func enterRoot(spec *Spec, hosts string, groups []ControlGroup) error {
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return failure("make mounts private", err)
	}
	outside, err := openOutside(spec, hosts)
	if err != nil {
		return err
	}
	root, err := mountRoot(spec)
	if err != nil {
		return err
	}
	old, err := os.Open("/")
	if err != nil {
		return failure("open /", err)
	}
	if err := pivot(root); err != nil {
		return failure("make "+spec.Root+" the root", err)
	}
	if err := furnish(spec, outside, groups); err != nil {
		return err
	}
	if err := unix.Fchdir(int(old.Fd())); err != nil {
		return failure("change to the old root", err)
	}
	// Where pivot_root is blocked the old root stays attached, under the new one: nothing leads there.
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		return failure("unmount the old root", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return failure("change to the new root", err)
	}
	outside.close()
	if spec.ReadonlyRoot {
		return failureOrNil("make / read-only", remount("/", unix.MS_RDONLY))
	}
	return nil
}

// outside are the things of the host that a container gets to see, open as paths.
type outside struct {
	sources []*os.File // of spec.Mounts; nil for a tmpfs
	hosts   *os.File   // nil if there is none
	devices map[string]*os.File
	sys     *os.File
}

func openOutside(spec *Spec, hosts string) (*outside, error) {
	o := &outside{devices: map[string]*os.File{}}
	for _, m := range spec.Mounts {
		var f *os.File
		if m.Type == "bind" {
			var err error
			if m.Subpath == "" {
				f, err = openPath(m.Source)
			} else {
				f, err = OpenIn(m.Source, m.Subpath, unix.O_PATH)
			}
			if err != nil {
				return nil, failure("open "+path.Join(m.Source, m.Subpath)+" to mount it on "+m.Target, err)
			}
		}
		o.sources = append(o.sources, f)
	}
	var err error
	if hosts != "" {
		if o.hosts, err = openPath(hosts); err != nil {
			return nil, failure("open the hosts file", err)
		}
	}
	for _, d := range devices() {
		if f, err := openPath("/dev/" + d.name); err == nil {
			o.devices[d.name] = f
		}
	}
	if o.sys, err = openPath("/sys"); err != nil {
		return nil, failure("open /sys", err)
	}
	return o, nil
}

func (o *outside) close() {
	CloseAll(o.sources)
	_ = o.hosts.Close()
	_ = o.sys.Close()
	for _, f := range o.devices {
		_ = f.Close()
	}
}

// mountRoot makes the root a mount point and returns its path.
func mountRoot(spec *Spec) (string, error) {
	if spec.Scratch == 0 {
		if err := mount(spec.Root, spec.Root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return "", failure("mount "+spec.Root, err)
		}
		return spec.Root, failureOrNil("mount "+spec.Root, guard(spec, spec.Root))
	}
	lower, err := openPath(spec.Root)
	if err != nil {
		return "", failure("open "+spec.Root, err)
	}
	defer lower.Close()
	size := fmt.Sprintf("mode=755,size=%d", spec.Scratch)
	if err := mount("tmpfs", spec.Root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, size); err != nil {
		return "", failure("mount a tmpfs on "+spec.Root, err)
	}
	root := path.Join(spec.Root, "root")
	for _, dir := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(path.Join(spec.Root, dir), 0o755); err != nil {
			return "", failure("prepare the scratch layer", err)
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(lower.Fd()), &st); err == nil { // the upper directory's mode is that of "/"
		_ = os.Chmod(path.Join(spec.Root, "upper"), os.FileMode(st.Mode&0o7777))
	}
	options := fmt.Sprintf("lowerdir=/proc/self/fd/%d,upperdir=%s/upper,workdir=%s/work", lower.Fd(), spec.Root, spec.Root)
	err = mount("overlay", root, "overlay", unix.MS_NODEV, options+",userxattr")
	if errors.Is(err, unix.EINVAL) { // only kernels that allow overlays in a user namespace know userxattr
		err = mount("overlay", root, "overlay", unix.MS_NODEV, options)
	}
	if err != nil {
		return "", failure("mount an overlay on "+spec.Root, err)
	}
	return root, nil
}

// guard makes device files on a mount useless, because nothing else keeps a process with CAP_MKNOD from making one that
// is the host's disk.
func guard(spec *Spec, target string) error {
	if spec.Privileged {
		return nil
	}
	return remount(target, unix.MS_NODEV)
}

// pivot makes the mount point root this process's "/".
func pivot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return err
	}
	err := unix.PivotRoot(".", ".")
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		// Docker's seccomp profile blocks pivot_root, and an initramfs cannot be pivoted from.
		if err = mount(root, "/", "", unix.MS_MOVE, ""); err == nil {
			err = unix.Chroot(".")
		}
	}
	if err != nil {
		return err
	}
	return unix.Chdir("/")
}

// furnish mounts everything in the new root.
func furnish(spec *Spec, o *outside, groups []ControlGroup) error {
	proc, err := mountProc()
	if err != nil {
		return err
	}
	defer proc.Close()
	if err := mountDev(spec, o); err != nil {
		return err
	}
	null, err := openPath("/dev/null") // the container's own: it may change the mode of what it sees
	if err != nil {
		return failure("open /dev/null", err)
	}
	defer null.Close()
	if err := mountSys(spec, o, null, groups); err != nil {
		return err
	}
	if o.hosts != nil {
		if err := mountOne(spec, Mount{Type: "bind", Target: "/etc/hosts", Options: []string{"ro"}}, o.hosts); err != nil {
			return err
		}
	}
	for i, m := range spec.Mounts {
		if err := mountOne(spec, m, o.sources[i]); err != nil {
			return err
		}
	}
	if spec.Privileged {
		return nil
	}
	return maskProc(proc, null)
}

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
