//go:build linux

package stage

import (
	"errors"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// openPath opens a path of the host just to refer to it.
func openPath(name string) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// OpenIn opens name as a process whose root is the directory root would.
func OpenIn(root, name string, flags int) (*os.File, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir) //nolint:errcheck // nothing was written to it
	return openAt(dir, name, flags, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
}

func openAt(dir int, name string, flags int, resolve uint64) (*os.File, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: resolve}
	for {
		fd, err := unix.Openat2(dir, name, &how)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) { // a rename raced with the walk
			continue
		}
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), name), nil
	}
}

// fdPath is a path by which an open file can be mounted; it needs /proc.
func fdPath(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }

// mountPoint opens target, which it creates with its parents if it is missing. "/" is the container's root already, so
// links lead nowhere else.
func mountPoint(target string, directory bool) (*os.File, error) {
	f, err := OpenIn("/", target, unix.O_PATH)
	if !errors.Is(err, unix.ENOENT) {
		return f, err
	}
	parent, err := makeDirs(path.Dir(path.Clean("/" + target)))
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	name := path.Base(target)
	if directory {
		err = unix.Mkdirat(int(parent.Fd()), name, 0o755)
	} else {
		err = unix.Mknodat(int(parent.Fd()), name, unix.S_IFREG|0o644, 0)
	}
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, err
	}
	return openAt(int(parent.Fd()), name, unix.O_PATH|unix.O_NOFOLLOW, unix.RESOLVE_BENEATH)
}

// makeDirs opens the directory dir after it created what is missing of it.
func makeDirs(dir string) (*os.File, error) {
	f, err := OpenIn("/", "/", unix.O_PATH)
	if err != nil {
		return nil, err
	}
	done := "/"
	for name := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		if name == "" {
			continue
		}
		done = path.Join(done, name)
		next, err := OpenIn("/", done, unix.O_PATH|unix.O_DIRECTORY)
		if errors.Is(err, unix.ENOENT) {
			if err = unix.Mkdirat(int(f.Fd()), name, 0o755); err == nil {
				next, err = OpenIn("/", done, unix.O_PATH|unix.O_DIRECTORY)
			}
		}
		_ = f.Close()
		if err != nil {
			return nil, err
		}
		f = next
	}
	return f, nil
}

// realDirectory opens or makes a directory that must not be a link: an image whose /proc is a link would move what hides
// the host's secrets to another place.
func realDirectory(name string) (*os.File, error) {
	f, err := mountPoint(name, true)
	if err != nil {
		return nil, failure("open "+name, err)
	}
	_ = f.Close()
	root, err := openPath("/")
	if err != nil {
		return nil, failure("open /", err)
	}
	defer root.Close()
	f, err = openAt(int(root.Fd()), strings.TrimPrefix(name, "/"), unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_BENEATH)
	switch {
	case errors.Is(err, unix.ELOOP):
		return nil, &Failure{Op: "mount on " + name, Text: "the image has a symbolic link there; it must be a directory"}
	case err != nil:
		return nil, failure("open "+name, err)
	}
	return f, nil
}
