//go:build linux

package stage

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// enterMain starts one more process in a running container. It does not execute that process itself, because a PID
// namespace is entered by being born in it: it confines its own main thread first, and what that thread forks is
// confined from its first moment. This program's file is never executed inside the container, where a hostile process
// could get hold of it.
func enterMain() {
	sync, err := helperSocket()
	if err != nil {
		os.Exit(1)
	}
	pid, err := enter(sync)
	if err != nil {
		_ = sync.Send(stageMessage{Failure: failure("exec", err)})
		os.Exit(1)
	}
	// The process becomes the supervisor's child when this one ends.
	_ = sync.Send(stageMessage{Ready: true, PID: pid})
}

func enter(sync *Conn) (int, error) {
	var p Process
	namespaces, err := sync.Receive(&p)
	if err != nil {
		return 0, err
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return 0, failure("become undumpable", err)
	}
	if err := joinNamespaces(namespaces); err != nil {
		return 0, err
	}
	attributes := &syscall.SysProcAttr{Setsid: true}
	if p.Terminal {
		terminal, err := openTerminal(&p)
		if err != nil {
			return 0, err
		}
		if err := sync.Send(stageMessage{}, terminal); err != nil {
			return 0, err
		}
		_ = terminal.Close()
		attributes.Setctty = true
	} else {
		ownStdio(&p)
	}
	if err := changeDir(p.Dir); err != nil {
		return 0, err
	}
	if err := confine(&p); err != nil {
		return 0, err
	}
	pid := 0
	err = tryEach(&p, func(path string) error {
		var err error
		pid, err = syscall.ForkExec(path, p.Args, &syscall.ProcAttr{Env: p.Env, Files: []uintptr{0, 1, 2}, Sys: attributes})
		return err
	})
	return pid, err
}

// joinNamespaces moves the calling thread, which must be locked, into the namespaces and closes them.
func joinNamespaces(namespaces []*os.File) error {
	defer CloseAll(namespaces)
	// A thread that shares its root and working directory with others may not change its mount namespace.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return failure("unshare the root directory", err)
	}
	for _, ns := range namespaces {
		if err := unix.Setns(int(ns.Fd()), 0); err != nil {
			return failure("enter a namespace", err)
		}
	}
	return nil
}
