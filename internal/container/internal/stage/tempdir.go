//go:build linux

package stage

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const tempPrefix = "plimsoll-supervisor-"

// tempDir is the supervisor's own directory for files that containers see, locked while the supervisor lives.
func (s *supervisor) tempDir() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lockedTempDir()
}

func (s *supervisor) lockedTempDir() (string, error) {
	if s.dir != "" {
		return s.dir, nil
	}
	dir, err := os.MkdirTemp("", tempPrefix)
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", err
	}
	if s.lock = tryLock(dir); s.lock == nil {
		return "", fmt.Errorf("%s was locked by somebody else at once", dir)
	}
	s.dir = dir
	return dir, nil
}

// sweepTemp removes what supervisors that were killed have left: their directories are not locked any more.
func sweepTemp() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), tempPrefix+"*"))
	for _, dir := range dirs {
		if lock := tryLock(dir); lock != nil {
			_ = os.RemoveAll(dir)
			_ = lock.Close()
		}
	}
}

// tryLock locks a directory until the result is closed; nil means that somebody else has it.
func tryLock(dir string) *os.File {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil
	}
	return f
}
