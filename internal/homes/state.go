package homes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// StateDir makes and returns the directory for caches that a --state flag names; by default name in the user's cache
// directory.
func StateDir(flag, name string) (string, error) {
	dir := flag
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no directory for caches: %w; name one with --state", err)
		}
		dir = filepath.Join(cache, name)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("the directory for caches: %w; name another with --state", err)
	}
	return dir, nil
}

// RunDir is a directory for one run of a program. What a killed run left behind is removed by the next one.
type RunDir struct {
	Path string
	lock *os.File
}

// NewRunDir makes a directory for this run below state, and removes those whose run has ended. The caller closes it.
func NewRunDir(state string) (*RunDir, error) {
	old, err := filepath.Glob(filepath.Join(state, "run-*.lock"))
	if err != nil {
		return nil, err
	}
	for _, path := range old {
		if lock, err := lock(path); err == nil {
			err = errors.Join((&RunDir{Path: strings.TrimSuffix(path, ".lock"), lock: lock}).Close())
			if err != nil {
				return nil, err
			}
		}
	}
	path, err := os.MkdirTemp(state, "run-")
	if err != nil {
		return nil, err
	}
	held, err := lock(path + ".lock")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return &RunDir{Path: path, lock: held}, nil
}

// Close removes the directory.
func (d *RunDir) Close() error {
	return errors.Join(os.RemoveAll(d.Path), os.Remove(d.lock.Name()), d.lock.Close())
}

// lock takes a lock file, which the kernel gives back when the process ends.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
