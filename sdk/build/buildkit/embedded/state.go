//go:build linux

package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// places is how many processes can use one state directory at a time.
const places = 16

// A place is a directory in the state directory that belongs to this process for as long as it holds the lock: BuildKit's
// cache can't be shared between processes. Each place keeps its cache, so the second of two programs that run at the
// same time is slow once and not for ever.
type place struct {
	dir  string
	lock *os.File
}

// claim takes the first place that no other process holds. The kernel gives a lock back when its process ends,
// however it ends.
func claim(state string) (*place, error) {
	for n := 1; n <= places; n++ {
		dir := filepath.Join(state, strconv.Itoa(n))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return &place{dir: dir, lock: lock}, nil
		}
		_ = lock.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &os.PathError{Op: "lock", Path: lock.Name(), Err: err}
		}
	}
	return nil, fmt.Errorf("%s: %d processes use this state directory already: wait for one to end or give another directory", state, places)
}

func (p *place) release() error { return p.lock.Close() }
