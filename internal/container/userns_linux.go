package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Mapping says which ids exist in a supervisor's user namespace. The zero value is for the host's own: all of them.
type Mapping struct {
	// Single means that there is only one id, 0.
	Single bool
}

// UserNamespaceOptions of a process in a user namespace.
type UserNamespaceOptions struct{}

func startInUserNamespace(_ context.Context, cmd *exec.Cmd, _ UserNamespaceOptions) (Mapping, error) {
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER | unix.CLONE_NEWNS
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	err := cmd.Start()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return Mapping{Single: true}, err
}

// SingleID says whether the user namespace that this process is in has one id only, so that nothing in it can belong to
// anybody but root.
func SingleID() bool {
	data, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	fields := strings.Fields(string(data))
	return len(fields) == 3 && fields[2] == "1"
}
