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

// enterMessage is what the supervisor asks of the helper, with this program's file and the container's namespaces.
type enterMessage struct {
	Process *Process
	Nested  bool // in a user namespace of its own
}

func enter(sync *Conn) (int, error) {
	var m enterMessage
	files, err := sync.Receive(&m)
	if err != nil {
		return 0, err
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return 0, failure("become undumpable", err)
	}
	err = joinNamespaces(files[1:])
	CloseAll(files[1:])
	if err != nil {
		return 0, err
	}
	if m.Nested {
		return startNested(sync, files[0])
	}
	_ = files[0].Close()
	p := m.Process
	attributes := &syscall.SysProcAttr{Setsid: true, Setctty: p.Terminal}
	if err := prepareStdio(sync, p); err != nil {
		return 0, err
	}
	if err := changeDir(p.Dir); err != nil {
		return 0, err
	}
	if err := confine(p); err != nil {
		return 0, err
	}
	pid := 0
	err = tryEach(p, func(path string) error {
		var err error
		pid, err = syscall.ForkExec(path, p.Args, &syscall.ProcAttr{Env: p.Env, Files: []uintptr{0, 1, 2}, Sys: attributes})
		return err
	})
	return pid, err
}

// startNested starts this program as a second helper, inside the container and in a user namespace of its own. A filter
// that this thread has would forbid that, and without one the process would be unconfined, so it confines itself. The
// container's processes have no rights in its user namespace, its program's file cannot be written to, and as it is linked
// statically nothing of the container runs in it.
func startNested(sync *Conn, exe *os.File) (int, error) {
	exe, err := highNumber(exe)
	if err != nil {
		return 0, err
	}
	defer exe.Close()
	connection, err := sync.c.File()
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	attributes := &syscall.SysProcAttr{Setsid: true}
	nest(attributes)
	pid, err := syscall.ForkExec(fdPath(exe), []string{NestedName}, &syscall.ProcAttr{
		Files: []uintptr{0, 1, 2, connection.Fd()}, Sys: attributes,
	})
	return pid, failureOrNil("start "+NestedName, err)
}

// nestedMain becomes a process of the container when the supervisor has given its user namespace an id.
func nestedMain() {
	sync, err := helperSocket()
	if err != nil {
		os.Exit(1)
	}
	var p Process
	if _, err = sync.Receive(&p); err == nil {
		err = becomeProcess(sync, &p)
	}
	_ = sync.Send(stageMessage{Failure: failure("exec", err)})
	os.Exit(1)
}

// joinNamespaces moves the calling thread, which must be locked, into those of the namespaces that it is not in yet.
func joinNamespaces(namespaces []*os.File) error {
	// Entering the host's own network again would take rights over the host.
	mine := map[uint64]bool{}
	for _, name := range namespaceNames() {
		var st unix.Stat_t
		if err := unix.Stat("/proc/thread-self/ns/"+name, &st); err == nil {
			mine[st.Ino] = true
		}
	}
	// A thread that shares its root and working directory with others may not change its mount namespace.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return failure("unshare the root directory", err)
	}
	for _, ns := range namespaces {
		var st unix.Stat_t
		if err := unix.Fstat(int(ns.Fd()), &st); err == nil && mine[st.Ino] {
			continue
		}
		if err := unix.Setns(int(ns.Fd()), 0); err != nil {
			return failure("enter a namespace", err)
		}
	}
	return nil
}
