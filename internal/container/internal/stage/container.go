//go:build linux

package stage

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// container is a container of the supervisor.
type container struct {
	spec    *Spec
	groups  []ControlGroup
	single  bool       // its processes may have user namespaces of their own
	scratch string     // where its scratch layer is mounted, "" for none
	address netip.Addr // in the private network

	launching  sync.Mutex // held while a first process is started
	mu         sync.Mutex
	namespaces []*os.File // as namespaceNames
	processes  []*process // the first is PID 1
	removing   bool
	removed    chan struct{} // closed when remove has done its work
}

// process is one process that the supervisor started.
type process struct {
	pid    int // in the supervisor's PID namespace
	kill   func(syscall.Signal) error
	killed atomic.Bool // by the supervisor, so not by the memory limit
	done   chan struct{}
	exit   Exit // valid when done is closed
}

// register makes a container known. From then on it can be removed, also while it is started.
func (s *supervisor) register(spec *Spec) (*container, error) {
	if len(spec.Process.Args) == 0 {
		return nil, &Failure{Op: "start " + spec.ID, Text: "the process has no arguments"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.containers[spec.ID] != nil {
		return nil, &Failure{Op: "start " + spec.ID, Errno: syscall.EEXIST}
	}
	c := &container{spec: spec, single: s.single, removed: make(chan struct{})}
	c.launching.Lock() // until start has done its work
	s.containers[spec.ID] = c
	return c, nil
}

func (s *supervisor) start(c *container, stdio []*os.File) (sent []*os.File, err error) {
	spec := c.spec
	defer func() {
		c.launching.Unlock()
		if err != nil {
			err = errors.Join(err, s.remove(c))
		}
	}()
	if c.groups, err = s.groups.container(spec); err != nil {
		return nil, err
	}
	spec.Process.Rlimits = append(spec.Process.Rlimits, s.groups.rlimits(spec.Resources)...)
	if spec.Scratch > 0 {
		if c.scratch, err = s.mountScratch(spec); err != nil {
			return nil, err
		}
	}
	return s.launch(c, stdio)
}

// restart starts the first process again, on the same scratch layer and at the same address.
func (s *supervisor) restart(c *container, stdio []*os.File) ([]*os.File, error) {
	c.launching.Lock()
	defer c.launching.Unlock()
	if c.running() == nil {
		return nil, &Failure{Op: "restart " + c.spec.ID, Errno: syscall.EBUSY}
	}
	c.mu.Lock()
	CloseAll(c.namespaces)
	c.namespaces, c.processes = nil, nil
	c.mu.Unlock()
	return s.launch(c, stdio)
}

// launch starts the first process.
func (s *supervisor) launch(c *container, stdio []*os.File) ([]*os.File, error) {
	spec := c.spec
	flags := uintptr(unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS)
	if !spec.HostNetwork {
		flags |= unix.CLONE_NEWNET
	}
	attributes := &syscall.SysProcAttr{Setsid: true, Cloneflags: flags}
	if s.nested(&spec.Process) {
		nest(attributes)
	}
	h, err := s.helper(InitName, stdio, attributes)
	if err != nil {
		return nil, err
	}
	defer h.conn.Close()
	p := &process{pid: h.cmd.Process.Pid, kill: h.signal, done: make(chan struct{})}
	before := c.oomKills()
	s.jobs.Go(func() {
		_ = h.cmd.Wait()
		p.exit = c.exitOf(p, h.cmd.ProcessState.Sys().(syscall.WaitStatus), before)
		close(p.done)
	})
	c.mu.Lock()
	c.processes = append(c.processes, p)
	if c.removing {
		_ = p.kill(syscall.SIGKILL)
	}
	c.mu.Unlock()
	if s.nested(&spec.Process) {
		if err := writeMaps(p.pid, &spec.Process); err != nil {
			return nil, err
		}
	}
	// The helper has threads of its own, so the limit on their number is looser until it has become the program.
	const helperThreads = 16
	if err := limitPIDs(c.groups, spec.Resources.PIDs, helperThreads); err != nil {
		return nil, err
	}
	if err := c.admit(p.pid); err != nil {
		return nil, err
	}
	if err := h.conn.Send(struct{}{}); err != nil {
		return nil, h.ended(err)
	}
	_, files, err := h.receive()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.namespaces = files
	c.mu.Unlock()
	message := initMessage{Spec: spec, Groups: c.groups, Scratch: c.scratch}
	if spec.Network != "" {
		if message.Address, message.Hosts, err = s.join(c); err != nil {
			return nil, err
		}
	}
	if err := h.conn.Send(message); err != nil {
		return nil, h.ended(err)
	}
	sent, _, err := h.started(func() error { return limitPIDs(c.groups, spec.Resources.PIDs, 0) })
	return sent, err
}

// mountScratch makes the place for a scratch layer, in memory. Its pages count for the container, which writes them.
func (s *supervisor) mountScratch(spec *Spec) (string, error) {
	if !s.own {
		return "", &Failure{Op: "make a scratch layer", Text: "it needs a supervisor with mounts of its own"}
	}
	dir, err := s.tempDir()
	if err != nil {
		return "", err
	}
	scratch, err := os.MkdirTemp(dir, "scratch-")
	if err != nil {
		return "", err
	}
	size := fmt.Sprintf("mode=755,size=%d", spec.Scratch)
	return scratch, failureOrNil("make a scratch layer", mount("tmpfs", scratch, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, size))
}

// admit puts a process into the container's control groups.
func (c *container) admit(pid int) error {
	for _, g := range c.groups {
		if err := g.write("cgroup.procs", strconv.Itoa(pid)); err != nil {
			return failure("join "+g.Dir, err)
		}
	}
	return nil
}

func (c *container) oomKills() int {
	for _, g := range c.groups {
		if g.has("memory") {
			return g.oomKills()
		}
	}
	return 0
}

// exitOf reads a wait status. The memory limit counts as the cause of a kill if there were fewer kills by it before, and
// the supervisor did not kill the process.
func (c *container) exitOf(p *process, status syscall.WaitStatus, before int) Exit {
	e := Exit{Code: status.ExitStatus()}
	if status.Signaled() {
		e.Signal = status.Signal()
		e.Code = 128 + int(e.Signal)
	}
	e.OOM = e.Code == 128+int(syscall.SIGKILL) && !p.killed.Load() && c.oomKills() > before
	return e
}

func (p *process) signal(signal syscall.Signal) error {
	select {
	case <-p.done:
		return os.ErrProcessDone
	default:
		return syscall.Kill(p.pid, signal)
	}
}

func (c *container) process(number int) (*process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if number < 0 || number >= len(c.processes) {
		return nil, &Failure{Op: fmt.Sprintf("process %d of %s", number, c.spec.ID), Errno: syscall.ESRCH}
	}
	return c.processes[number], nil
}

func (c *container) wait(number int) (Exit, error) {
	p, err := c.process(number)
	if err != nil {
		return Exit{}, err
	}
	<-p.done
	return p.exit, nil
}

func (c *container) signal(number int, signal syscall.Signal) error {
	p, err := c.process(number)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return syscall.ESRCH
	default:
	}
	if signal == syscall.SIGKILL {
		p.killed.Store(true)
	}
	err = p.kill(signal)
	if errors.Is(err, os.ErrProcessDone) {
		err = syscall.ESRCH
	}
	return failureOrNil("signal "+c.spec.ID, err)
}

// remove kills the container and removes every trace of it.
func (s *supervisor) remove(c *container) error {
	c.mu.Lock()
	first := !c.removing
	c.removing = true
	c.mu.Unlock()
	if !first {
		<-c.removed
		return nil
	}
	defer close(c.removed)
	c.killAll() // so that a start under way gives up
	c.launching.Lock()
	defer c.launching.Unlock()
	for _, p := range c.killAll() {
		<-p.done
	}
	s.leave(c)
	CloseAll(c.namespaces)
	var err error
	if c.scratch != "" {
		err = failureOrNil("unmount a scratch layer", unix.Unmount(c.scratch, unix.MNT_DETACH))
		err = errors.Join(err, os.Remove(c.scratch))
	}
	for _, g := range c.groups {
		err = errors.Join(err, g.remove())
	}
	s.mu.Lock()
	delete(s.containers, c.spec.ID)
	s.mu.Unlock()
	return err
}

// killAll kills PID 1, and with it every process of its PID namespace.
func (c *container) killAll() []*process {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range c.processes {
		p.killed.Store(true)
		if i == 0 {
			_ = p.kill(syscall.SIGKILL)
		}
	}
	return c.processes
}

// helper is a running helper process and the socket to it.
type helper struct {
	cmd  *exec.Cmd
	conn *Conn
}

func (s *supervisor) helper(name string, stdio []*os.File, attributes *syscall.SysProcAttr) (*helper, error) {
	if len(stdio) != 3 {
		return nil, fmt.Errorf("%s takes 3 files, got %d", name, len(stdio))
	}
	ours, theirs, err := SocketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := &exec.Cmd{
		Path: fdPath(s.exe), Args: []string{name}, Env: []string{},
		Stdin: stdio[0], Stdout: stdio[1], Stderr: stdio[2],
		ExtraFiles: []*os.File{theirs}, SysProcAttr: attributes,
	}
	if err := cmd.Start(); err != nil {
		_ = ours.Close()
		return nil, failure("start "+name, err)
	}
	return &helper{cmd: cmd, conn: ours}, nil
}

func (h *helper) signal(signal syscall.Signal) error { return h.cmd.Process.Signal(signal) }

// receive waits for a message that is no failure.
func (h *helper) receive() (stageMessage, []*os.File, error) {
	var m stageMessage
	files, err := h.conn.Receive(&m)
	if err != nil {
		return m, nil, h.ended(err)
	}
	if m.Failure != nil {
		CloseAll(files)
		return m, nil, m.Failure
	}
	return m, files, nil
}

// started waits until the helper has become the container's process, just before which it calls ready, or has started it.
// It returns the terminal, if there is one, and the pid if the helper says one.
func (h *helper) started(ready func() error) (sent []*os.File, pid int, err error) {
	done := false
	for {
		var m stageMessage
		files, err := h.conn.Receive(&m)
		sent = append(sent, files...)
		switch {
		case errors.Is(err, io.EOF) && done:
			return sent, pid, nil
		case err != nil:
			CloseAll(sent)
			return nil, 0, h.ended(err)
		case m.Failure != nil:
			CloseAll(sent)
			return nil, 0, m.Failure
		}
		if m.Ready {
			done, pid = true, m.PID
		}
		if m.Ready && pid == 0 {
			if err := errors.Join(ready(), h.conn.release()); err != nil {
				CloseAll(sent)
				return nil, 0, err
			}
		}
	}
}

func (h *helper) ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) {
		return &Failure{Op: "start", Text: "the container's first process was killed before it could execute its program"}
	}
	return err
}
