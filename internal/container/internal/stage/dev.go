//go:build linux

package stage

import (
	"errors"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

type device struct {
	name         string
	major, minor uint32
}

func devices() []device {
	return []device{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}}
}

// mountDev makes a minimal /dev. Device files made by the container are useless everywhere (nodev), also here: the few
// that work lie on a tmpfs of their own that nobody can reach, and are bound one by one over empty files.
func mountDev(spec *Spec, o *outside) error {
	dir, err := realDirectory("/dev")
	if err != nil {
		return err
	}
	defer dir.Close()
	flags := uintptr(unix.MS_NOSUID | unix.MS_STRICTATIME | unix.MS_NODEV)
	if spec.Privileged {
		flags &^= unix.MS_NODEV
	}
	// Twice on the same place: the first is the hidden one.
	if err := mount("tmpfs", fdPath(dir), "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755,size=64k"); err != nil {
		return failure("mount /dev", err)
	}
	hidden, err := os.OpenRoot("/dev")
	if err != nil {
		return failure("open /dev", err)
	}
	defer hidden.Close()
	sources := map[string]*os.File{}
	for _, d := range devices() {
		if f, err := deviceSource(d, o); err == nil {
			sources[d.name] = f
			defer f.Close()
		} else {
			return failure("make /dev/"+d.name, err)
		}
	}
	if err := mount("tmpfs", "/dev", "tmpfs", flags, "mode=755,size=65536k"); err != nil {
		return failure("mount /dev", err)
	}
	for _, d := range devices() {
		name := path.Join("/dev", d.name)
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			return failure("make "+name, err)
		}
		if err := mount(fdPath(sources[d.name]), name, "", unix.MS_BIND, ""); err != nil {
			return failure("make "+name, err)
		}
	}
	return mountDevDirs()
}

// deviceSource makes a device in the hidden /dev, or takes the host's own where that is forbidden: in a user namespace,
// where the container cannot change the host's device file because it belongs to somebody else.
func deviceSource(d device, o *outside) (*os.File, error) {
	name := path.Join("/dev", d.name)
	err := unix.Mknod(name, unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor)))
	if err == nil {
		if err := os.Chmod(name, 0o666); err != nil { // mknod obeys the umask
			return nil, err
		}
		return openPath(name)
	}
	if f := o.devices[d.name]; f != nil && errors.Is(err, unix.EPERM) {
		return openPath(fdPath(f))
	}
	return nil, err
}

func mountDevDirs() error {
	for link, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
	} {
		if err := os.Symlink(target, path.Join("/dev", link)); err != nil {
			return failure("make /dev/"+link, err)
		}
	}
	for _, dir := range []string{"pts", "shm", "mqueue"} {
		if err := os.Mkdir(path.Join("/dev", dir), 0o755); err != nil {
			return failure("make /dev/"+dir, err)
		}
	}
	options := "newinstance,ptmxmode=0666,mode=0620"
	err := mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, options+",gid=5")
	if errors.Is(err, unix.EINVAL) { // a user namespace without group 5
		err = mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, options)
	}
	if err != nil {
		return failure("mount /dev/pts", err)
	}
	if err := mount("shm", "/dev/shm", "tmpfs", noExec, "mode=1777,size=65536k"); err != nil {
		return failure("mount /dev/shm", err)
	}
	err = mount("mqueue", "/dev/mqueue", "mqueue", noExec, "")
	if err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EPERM) { // not every kernel has it
		return failure("mount /dev/mqueue", err)
	}
	return nil
}
