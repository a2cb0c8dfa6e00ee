//go:build linux

package stage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// container is a container of the supervisor.
type container struct {
	spec       *Spec
	groups     []ControlGroup
	namespaces []*os.File // as namespaceNames
	address    string     // in the private network, without the mask

	mu        sync.Mutex
	processes []*process // the first is PID 1
	removing  bool
	started   chan struct{} // closed when start returns
	removed   chan struct{} // closed when remove has done its work
}

// process is one process that the supervisor started.
type process struct {
	pid  int // in the supervisor's PID namespace
	kill func(syscall.Signal) error
	done chan struct{}
	exit Exit // valid when done is closed
}

func (s *supervisor) start(spec *Spec, stdio []*os.File) (sent []*os.File, err error) {
	if len(stdio) != 3 {
		return nil, fmt.Errorf("start takes 3 files, got %d", len(stdio))
	}
	c := &container{spec: spec, started: make(chan struct{}), removed: make(chan struct{})}
	s.mu.Lock()
	if s.containers[spec.ID] != nil {
		s.mu.Unlock()
		return nil, &Failure{Op: "start " + spec.ID, Errno: syscall.EEXIST}
	}
	s.containers[spec.ID] = c
	s.mu.Unlock()
	defer func() {
		close(c.started)
		if err != nil {
			err = errors.Join(err, s.remove(c))
		}
	}()
	if c.groups, err = s.groups.container(spec); err != nil {
		return nil, err
	}
	spec.Process.Rlimits = append(spec.Process.Rlimits, s.groups.rlimits(spec.Resources)...)

	flags := uintptr(unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS)
	if !spec.HostNetwork {
		flags |= unix.CLONE_NEWNET
	}
	attributes := &syscall.SysProcAttr{Setsid: true, Cloneflags: flags}
	if spec.MapUser != 0 || spec.MapGroup != 0 {
		attributes.Cloneflags |= unix.CLONE_NEWUSER
		attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: spec.MapUser, HostID: 0, Size: 1}}
		attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: spec.MapGroup, HostID: 0, Size: 1}}
	}
	h, err := s.helper(InitName, stdio, attributes)
	if err != nil {
		return nil, err
	}
	defer h.conn.Close()
	p := &process{pid: h.cmd.Process.Pid, kill: h.signal, done: make(chan struct{})}
	c.mu.Lock()
	c.processes = append(c.processes, p)
	c.mu.Unlock()
	s.jobs.Go(func() {
		_ = h.cmd.Wait()
		p.exit = c.exitOf(h.cmd.ProcessState.Sys().(syscall.WaitStatus), 0)
		close(p.done)
	})

	if err := c.admit(p.pid); err != nil {
		return nil, err
	}
	if err := h.conn.Send(struct{}{}); err != nil {
		return nil, h.ended(err)
	}
	m, files, err := h.receive()
	c.namespaces = files
	if err != nil {
		return nil, err
	}
	_ = m
	message := initMessage{Spec: spec, Groups: c.groups}
	if spec.Network != "" {
		if message.Address, message.Hosts, err = s.join(c); err != nil {
			return nil, err
		}
	}
	if err := h.conn.Send(message); err != nil {
		return nil, h.ended(err)
	}
	return h.started()
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

// exitOf reads a wait status. The memory limit counts as the cause if it killed something since there were before
// kills, and the process did not end well.
func (c *container) exitOf(status syscall.WaitStatus, before int) Exit {
	e := Exit{Code: status.ExitStatus()}
	if status.Signaled() {
		e.Signal = status.Signal()
		e.Code = 128 + int(e.Signal)
	}
	e.OOM = e.Code == 128+int(syscall.SIGKILL) && c.oomKills() > before
	return e
}

func (s *supervisor) exec(c *container, p *Process, stdio []*os.File) (int, []*os.File, error) {
	if len(stdio) != 3 {
		return 0, nil, fmt.Errorf("exec takes 3 files, got %d", len(stdio))
	}
	if c.spec.MapUser != 0 || c.spec.MapGroup != 0 {
		return 0, nil, &Failure{Op: ExecOp + p.Args[0], Text: "a container with a user other than root needs more than the one id that this user has; " +
			"ranges in /etc/subuid and /etc/subgid, with newuidmap and newgidmap, give it more"}
	}
	before := c.oomKills()
	p.Rlimits = append(p.Rlimits, s.groups.rlimits(c.spec.Resources)...)
	h, err := s.helper(EnterName, stdio, &syscall.SysProcAttr{})
	if err != nil {
		return 0, nil, err
	}
	defer h.conn.Close()
	if err := c.admit(h.cmd.Process.Pid); err != nil {
		_ = h.signal(syscall.SIGKILL)
		_ = h.cmd.Wait()
		return 0, nil, err
	}
	c.mu.Lock()
	removing := c.removing
	c.mu.Unlock()
	if removing {
		_ = h.signal(syscall.SIGKILL)
		_ = h.cmd.Wait()
		return 0, nil, syscall.ESRCH
	}
	err = h.conn.Send(p, c.namespaces...)
	var sent []*os.File
	var m stageMessage
	for err == nil && !m.Ready {
		var files []*os.File
		m, files, err = h.receive()
		sent = append(sent, files...)
	}
	waited := h.cmd.Wait()
	if err != nil {
		CloseAll(sent)
		if waited != nil && errors.Is(err, io.EOF) {
			err = &Failure{Op: ExecOp + p.Args[0], Text: "the helper that enters the container ended early: " + waited.Error()}
		}
		return 0, nil, err
	}
	child := &process{pid: m.PID, done: make(chan struct{})}
	child.kill = func(signal syscall.Signal) error { return child.signal(signal) }
	s.jobs.Go(func() {
		var status syscall.WaitStatus
		for {
			_, err := syscall.Wait4(child.pid, &status, 0, nil)
			if !errors.Is(err, syscall.EINTR) {
				break
			}
		}
		child.exit = c.exitOf(status, before)
		close(child.done)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.processes = append(c.processes, child)
	return len(c.processes) - 1, sent, nil
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
	<-c.started
	for _, p := range c.killAll() {
		<-p.done
	}
	s.leave(c)
	CloseAll(c.namespaces)
	var err error
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
	if len(c.processes) > 0 {
		_ = c.processes[0].kill(syscall.SIGKILL)
	}
	return c.processes
}

// helper is a running helper process and the socket to it.
type helper struct {
	cmd  *exec.Cmd
	conn *Conn
}

func (s *supervisor) helper(name string, stdio []*os.File, attributes *syscall.SysProcAttr) (*helper, error) {
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

// started waits until the helper has become the container's process; it returns the terminal, if there is one.
func (h *helper) started() ([]*os.File, error) {
	var sent []*os.File
	ready := false
	for {
		var m stageMessage
		files, err := h.conn.Receive(&m)
		sent = append(sent, files...)
		switch {
		case errors.Is(err, io.EOF) && ready:
			return sent, nil
		case err != nil:
			CloseAll(sent)
			return nil, h.ended(err)
		case m.Failure != nil:
			CloseAll(sent)
			return nil, m.Failure
		}
		ready = ready || m.Ready
	}
}

func (h *helper) ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) {
		return &Failure{Op: "start", Text: "the container's first process was killed before it could execute its program"}
	}
	return err
}
