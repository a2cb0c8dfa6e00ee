package docker

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// kill ends a process of a container of this machine. The number may mean another process by now, and on another machine
// it does: the control group must say that it is of the container.
func kill(pid int, container string, local bool) error {
	if !local || pid <= 0 {
		return errors.New("the daemon is on another machine")
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid)) // of the process that fd holds, or fd is of no process any more
	if err != nil {
		return err
	}
	if !bytes.Contains(groups, []byte(container)) {
		return errors.New("it is not of this machine's container")
	}
	return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
}
