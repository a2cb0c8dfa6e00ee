//go:build linux

package stage

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// enterRoot makes spec.Root this process's "/", with everything mounted in it.
//
// The new root becomes "/" first and is furnished then, with the old root still attached but out of reach of any path:
// so a link in the image leads into the image, whatever it says. What comes from the host is opened beforehand and
// mounted by its file descriptor.
func enterRoot(m *initMessage) error {
	spec := m.Spec
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return failure("make mounts private", err)
	}
	outside, err := openOutside(spec, m.Hosts)
	if err != nil {
		return err
	}
	root, err := mountRoot(spec, m.Scratch)
	if err != nil {
		return err
	}
	detach, err := pivot(root)
	if err != nil {
		return failure("make "+spec.Root+" the root", err)
	}
	if err := furnish(spec, outside, m.Groups); err != nil {
		return err
	}
	if err := detach(); err != nil {
		return failure("unmount the old root", err)
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
func mountRoot(spec *Spec, scratch string) (string, error) {
	if scratch == "" {
		if err := mount(spec.Root, spec.Root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return "", failure("mount "+spec.Root, err)
		}
		return spec.Root, failureOrNil("mount "+spec.Root, guard(spec, spec.Root))
	}
	lower, err := os.Stat(spec.Root)
	if err != nil {
		return "", failure("open "+spec.Root, err)
	}
	root := path.Join(scratch, "root")
	for _, dir := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(path.Join(scratch, dir), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return "", failure("prepare the scratch layer", err)
		}
	}
	if err := os.Chmod(path.Join(scratch, "upper"), lower.Mode()); err != nil { // that of "/"
		return "", failure("prepare the scratch layer", err)
	}
	// The lower directory is given by descriptor, because a path may contain what separates options.
	dir, err := openPath(spec.Root)
	if err != nil {
		return "", failure("open "+spec.Root, err)
	}
	defer dir.Close()
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", fdPath(dir), scratch, scratch)
	if inUserNamespace() { // which may not set the attributes that overlays use otherwise
		options += ",userxattr"
	}
	if err := mount("overlay", root, "overlay", unix.MS_NODEV, options); err != nil {
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

// pivot makes the mount point root this process's "/". The old root stays attached until detach is called.
func pivot(root string) (detach func() error, err error) {
	old, err := os.Open("/")
	if err != nil {
		return nil, err
	}
	if err := unix.Chdir(root); err != nil {
		return nil, err
	}
	err = unix.PivotRoot(".", ".")
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		// Docker's seccomp profile blocks pivot_root, and an initramfs cannot be pivoted from. The old root then stays
		// where it is, covered by the new one: no path leads there, not even out of a second chroot.
		if err = mount(root, "/", "", unix.MS_MOVE, ""); err == nil {
			err = unix.Chroot(".")
		}
		if err != nil {
			return nil, errors.Join(err, old.Close())
		}
		return old.Close, unix.Chdir("/")
	}
	if err != nil {
		return nil, errors.Join(err, old.Close())
	}
	return func() error {
		defer old.Close()
		if err := unix.Fchdir(int(old.Fd())); err != nil {
			return err
		}
		if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
			return err
		}
		return unix.Chdir("/")
	}, unix.Chdir("/")
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
	for _, file := range spec.Files {
		if err := writeFile(file); err != nil {
			return failure("write "+file.Path, err)
		}
	}
	if spec.Scratch > 0 && spec.Process.Dir != "" { // as Docker makes the working directory
		dir, err := makeDirs(spec.Process.Dir)
		if err != nil {
			return failure("make the working directory "+spec.Process.Dir, err)
		}
		_ = dir.Close()
	}
	if spec.Privileged {
		return nil
	}
	return maskProc(proc, null)
}

// writeFile makes a file with its parents, in place of what is there.
func writeFile(file File) error {
	parent, err := makeDirs(path.Dir(path.Clean("/" + file.Path)))
	if err != nil {
		return err
	}
	defer parent.Close()
	name := path.Base(file.Path)
	if err := unix.Unlinkat(int(parent.Fd()), name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	fd, err := unix.Openat(int(parent.Fd()), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, file.Mode)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), file.Path)
	_, err = f.Write(file.Data)
	return errors.Join(err, f.Chmod(os.FileMode(file.Mode)), f.Close())
}
