//go:build linux

package stage

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// sealedExecutable opens this program's file such that a container cannot overwrite the program through
// /proc/<pid>/exe (CVE-2019-5736): through a read-only mount of it, or else as a copy in memory.
func sealedExecutable() (*os.File, error) {
	if f, err := readOnlyExecutable(); err == nil {
		return f, nil
	}
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	defer program.Close()
	fd, err := unix.MemfdCreate("plimsoll", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, failure("copy the program", err)
	}
	copied := os.NewFile(uintptr(fd), "program")
	if _, err = io.Copy(copied, program); err == nil {
		_, err = unix.FcntlInt(copied.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		return nil, errors.Join(failure("copy the program", err), copied.Close())
	}
	return copied, nil
}

func readOnlyExecutable() (*os.File, error) {
	// By its path, because the file that runs may belong to the mounts of the parent.
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "program")
	err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if err == nil {
		err = sameFile(f, "/proc/self/exe")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sameFile guards against a program that was replaced since it was started.
func sameFile(f *os.File, name string) error {
	a, err1 := f.Stat()
	b, err2 := os.Stat(name)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if !os.SameFile(a, b) {
		return errors.New("another file")
	}
	return nil
}

// highNumber opens a file that a child is to execute by number: when it does, its own low numbers are taken already.
func highNumber(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 64)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
