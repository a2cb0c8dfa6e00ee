//go:build linux

package stage

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync"
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
	h, err := startHelper(s.exe, InitName, stdio, attributes)
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
