//go:build linux

package stage

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// guestMain is a helper in the control groups of a container that another runtime has made. It starts processes there, each
// on a thread that joins the container's namespaces and confines itself before it forks, and that ends with the process.
// The helper itself stays outside of the PID namespace, and its program's file is never executed inside the container,
// where a hostile process could get hold of it. It ends when its client does.
func guestMain() {
	client, err := helperSocket()
	if err != nil {
		os.Exit(1)
	}
	namespaces, err := prepareGuest(client)
	if err != nil {
		_ = client.Send(stageMessage{Failure: failure("join", err)})
		os.Exit(1)
	}
	_ = client.Send(stageMessage{Ready: true})
	for {
		var p Process
		files, err := client.Receive(&p)
		if err != nil {
			os.Exit(0) // the client is gone
		}
		go func() {
			runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
			runAsGuest(namespaces, &p, files)
		}()
	}
}

// guestMessage is what the client tells a new helper, with the container's namespaces.
type guestMessage struct {
	Rlimits []Rlimit // of the helper and of all that it starts
}

func prepareGuest(client *Conn) ([]*os.File, error) {
	var m guestMessage
	namespaces, err := client.Receive(&m)
	if err != nil {
		return nil, err
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return nil, failure("become undumpable", err)
	}
	if err := closeOnExec(); err != nil {
		return nil, failure("close files", err)
	}
	return namespaces, setRlimits(m.Rlimits)
}

// runAsGuest starts a process, of which files are stdin, stdout, stderr and a socket, and says on the socket how it ends.
func runAsGuest(namespaces []*os.File, p *Process, files []*os.File) {
	if len(files) != 4 {
		CloseAll(files)
		return
	}
	sync, err := NewConn(files[3])
	if err != nil {
		CloseAll(files[:3])
		return
	}
	defer sync.Close()
	pid, handle, err := forkAsGuest(namespaces, p, files[:3])
	CloseAll(files[:3])
	if err != nil {
		_ = sync.Send(stageMessage{Failure: failure("exec", err)})
		return
	}
	_ = sync.Send(stageMessage{Ready: true, PID: pid}, handle...)
	exit := exitOf(reap(pid))
	CloseAll(handle)
	_ = sync.Send(stageMessage{Exit: &exit})
}

func forkAsGuest(namespaces []*os.File, p *Process, stdio []*os.File) (pid int, handle []*os.File, err error) {
	// Not the keys of whoever started the program.
	_, _ = unix.KeyctlJoinSessionKeyring("_plimsoll")
	if err := joinNamespaces(namespaces); err != nil {
		return 0, nil, err
	}
	var fds []uintptr
	for _, f := range stdio {
		fd := int(f.Fd())
		null, err := own(fd, p)
		if err != nil {
			return 0, nil, err
		}
		if null >= 0 {
			defer func() { _ = unix.Close(null) }()
			fd = null
		}
		fds = append(fds, uintptr(fd))
	}
	if err := changeDir(p.Dir); err != nil {
		return 0, nil, err
	}
	if err := confine(p); err != nil {
		return 0, nil, err
	}
	fd := -1
	attributes := &syscall.SysProcAttr{Setsid: true, PidFD: &fd}
	err = tryEach(p, func(path string) error {
		pid, err = syscall.ForkExec(path, p.Args, &syscall.ProcAttr{Env: p.Env, Files: fds, Sys: attributes})
		return err
	})
	if err == nil && fd >= 0 {
		handle = []*os.File{os.NewFile(uintptr(fd), "pidfd")}
	}
	return pid, handle, err
}
