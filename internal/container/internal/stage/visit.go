//go:build linux

package stage

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// VisitName is the hidden name of the helper that starts one more process in a container of another runtime.
const VisitName = "plimsoll-visit"

// Visit is what is asked of that helper. With it go the container's namespaces, and the program's file if there is one.
type Visit struct {
	Process *Process
	// Groups are files of the container's control groups that take a process or thread: "tasks" of version 1, for the
	// helper's one thread, or "cgroup.procs" of version 2.
	Groups []string
	// Label is for the security module, written to LabelFile of the thread ("attr/apparmor/exec").
	Label, LabelFile string
	// OOMScore is the container's.
	OOMScore int
	// Program says that the last file is to be executed, whatever Args[0] is.
	Program bool
}

// VisitAnswer is what the helper answers: a failure, or the process's number, and then how it ended.
type VisitAnswer struct {
	Failure *Failure
	PID     int // in the PID namespace of the helper
	Ended   bool
	Exit    int
}

// visitMain is enterMain for a container that another runtime made. What the process gets must be no more than what that
// runtime's own exec gives; what can't be taken on is a failure.
func visitMain() {
	sync, err := helperSocket()
	if err != nil {
		os.Exit(1)
	}
	started := make(chan int)
	go func() { // on a thread that is not confined
		pid := <-started
		_ = sync.Send(VisitAnswer{PID: pid})
		var status unix.WaitStatus
		for {
			if _, err = unix.Wait4(pid, &status, 0, nil); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		code := status.ExitStatus()
		if status.Signaled() {
			code = 128 + int(status.Signal())
		}
		if err != nil {
			_ = sync.Send(VisitAnswer{Failure: failure("wait for the process", err)})
			os.Exit(1)
		}
		_ = sync.Send(VisitAnswer{PID: pid, Ended: true, Exit: code})
		os.Exit(0)
	}()
	pid, err := visit(sync)
	if err != nil {
		_ = sync.Send(VisitAnswer{Failure: failure("visit", err)})
		os.Exit(1)
	}
	started <- pid
	select {}
}

func visit(sync *Conn) (int, error) {
	var m Visit
	files, err := sync.Receive(&m)
	if err != nil {
		return 0, err
	}
	// The container's processes may not look into this one, or into its child before it is the program.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return 0, failure("become undumpable", err)
	}
	var program *os.File
	if m.Program {
		program, files = files[len(files)-1], files[:len(files)-1]
	}
	if err := visitGroups(m.Groups); err != nil {
		return 0, err
	}
	raise(m.OOMScore)
	if err := m.label(); err != nil {
		return 0, err
	}
	if _, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0); err != nil && !errors.Is(err, unix.ENOSYS) {
		return 0, failure("leave the session keyring", err)
	}
	err = joinNamespaces(files)
	CloseAll(files)
	if err != nil {
		return 0, err
	}
	p := m.Process
	if err := ownStdio(p); err != nil {
		return 0, err
	}
	if err := changeDir(p.Dir); err != nil {
		return 0, err
	}
	if err := closeOnExec(); err != nil {
		return 0, failure("close files", err)
	}
	if err := confineAs(p); err != nil {
		return 0, err
	}
	return start(p, program)
}

// start forks the process; what this thread is confined by confines it from its first moment.
func start(p *Process, program *os.File) (pid int, err error) {
	attributes := &syscall.SysProcAttr{Setsid: true} // no Pdeathsig: the parent is outside of its PID namespace
	passed := []uintptr{0, 1, 2}
	run := func(path string) error {
		var err error
		pid, err = syscall.ForkExec(path, p.Args, &syscall.ProcAttr{Env: p.Env, Files: passed, Sys: attributes})
		return err
	}
	if program == nil {
		return pid, tryEach(p, run)
	}
	passed = append(passed, program.Fd())
	if err = run("/proc/self/fd/3"); err != nil {
		return 0, failure("exec the program that was brought along", err)
	}
	return pid, nil
}

func visitGroups(groups []string) error {
	for _, file := range groups {
		// 0 is the writing thread for tasks, and the writing process for cgroup.procs.
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			return failure("join the control group", err)
		}
		_, err = f.WriteString("0")
		_ = f.Close()
		if err != nil {
			return failure("join the control group "+file, err)
		}
	}
	return nil
}

// raise makes it as likely to be killed as the container is when memory runs out. Less likely it may be only with rights
// that it needs not have.
func raise(score int) {
	_ = os.WriteFile("/proc/thread-self/oom_score_adj", []byte(strconv.Itoa(score)), 0)
}

func (m *Visit) label() error {
	if m.Label == "" {
		return nil
	}
	f, err := os.OpenFile("/proc/thread-self/"+m.LabelFile, os.O_WRONLY, 0)
	if err != nil {
		return failure("take on the security label", err)
	}
	defer f.Close()
	if _, err := f.WriteString(m.Label); err != nil {
		return failure("take on the security label "+m.Label, err)
	}
	return nil
}

// confineAs is confine for a process that may gain privileges if its container may. Without no_new_privs a filter wants
// rights that the process is about to lose, so it comes first then, as with runc.
func confineAs(p *Process) error {
	for _, l := range p.Rlimits {
		var own unix.Rlimit
		if err := unix.Getrlimit(l.Resource, &own); err != nil {
			return failure(fmt.Sprintf("read resource limit %d", l.Resource), err)
		}
		hard := min(l.Hard, own.Max) // raising it takes a right of its own
		if err := unix.Setrlimit(l.Resource, &unix.Rlimit{Cur: min(l.Soft, hard), Max: hard}); err != nil {
			return failure(fmt.Sprintf("set resource limit %d", l.Resource), err)
		}
	}
	if !p.NewPrivileges {
		limits := p.Rlimits
		p.Rlimits = nil
		defer func() { p.Rlimits = limits }()
		return confine(p)
	}
	unix.Umask(0o022)
	if err := loadFilter(p.Seccomp); err != nil {
		return failure("load the seccomp filter", err)
	}
	if err := dropBounding(p.Capabilities); err != nil {
		return failure("drop capabilities", err)
	}
	if err := setIDs(p); err != nil {
		return err
	}
	return failureOrNil("set capabilities", setCapabilities(p))
}

// VisitCommand is this program's path for running it as the helper, and what keeps the path good.
func VisitCommand() (path string, keep *os.File, err error) {
	f, err := sealedExecutable()
	if err != nil {
		return "", nil, err
	}
	return fdPath(f), f, nil
}

// NamespaceNames are the names in /proc/<pid>/ns of what a process of a container enters, in their order.
func NamespaceNames() []string { return namespaceNames() }
