// Package container runs processes in containers, with nothing but this program and the Linux kernel: no daemon, no OCI
// runtime, no cgo. It is the engine of the embedded builder and of the embedded sandbox.
//
//	s, err := container.NewSupervisor(ctx, container.Options{})
//	defer s.Close()
//	c, err := s.Start(ctx, container.Spec{ID: "one", Root: dir, Process: container.Process{Args: []string{"/bin/true"}}}, container.Stdio{})
//	exit, err := c.Wait(ctx)
//
// A container has its own mounts, processes, IPC, host name, control groups and (unless it shares the host's) network.
// The image's process is PID 1 itself: there is no init of ours that would reap zombies or pass signals on for it, so a
// test of an image sees what the image does.
//
// # How it works
//
// A [Supervisor] is this program run again under the hidden name plimsoll-supervisor (see package reexec), as PID 1 of a
// PID namespace of its own. All containers are its children, in PID namespaces below it, so the kernel kills them all
// when it ends; it ends when this process does, by whatever means, after it has removed control groups, networks and
// temporary files. Each container begins as the program run once more, as plimsoll-init, which mounts what Docker mounts,
// confines itself (bounding set, ids, no_new_privs, seccomp) and executes the image's program.
//
// It needs root, or a user namespace that gives this user root's rights over its own things; see [Options]. Linux 5.6 or
// newer. No AppArmor or SELinux profile is applied: a container keeps that of this process.
package container

import (
	"errors"

	"github.com/plimsoll-dev/plimsoll/internal/container/internal/stage"
)

// The words of this package are those of its helpers.
type (
	// Spec says what a container is.
	Spec = stage.Spec
	// Mount is one mount of a container.
	Mount = stage.Mount
	// File is a file that a container begins with.
	File = stage.File
	// Process says what one process of a container is.
	Process = stage.Process
	// Rlimit is one resource limit of a process.
	Rlimit = stage.Rlimit
	// Resources are the limits of a whole container.
	Resources = stage.Resources
	// Exit is how a process ended.
	Exit = stage.Exit
	// ProcessInfo is a process as it is seen from outside.
	ProcessInfo = stage.ProcessInfo
	// Usage is what a container uses.
	Usage = stage.Usage
	// Socket is a listening socket.
	Socket = stage.Socket
	// Failure is an error from one of the helper processes. It unwraps to its errno.
	Failure = stage.Failure //nolint:errname // it is data before it is an error
)

// ErrUnavailable is wrapped by errors that say why containers cannot be run on this machine by this user, and what would
// change that.
var ErrUnavailable = errors.New("containers cannot be run here")
