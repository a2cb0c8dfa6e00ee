//go:build !linux

package docker

import (
	"os"
	"syscall"
)

func machine() (string, error) { return os.Hostname() }

func processStart(pid int) (start uint64, alive bool) {
	p, err := os.FindProcess(pid)
	if err != nil {
		return 0, false
	}
	return 0, p.Signal(syscall.Signal(0)) == nil
}
