//go:build linux

package stage

import (
	"debug/elf"
	"errors"
	"os"
	"slices"
	"syscall"
)

// exec starts one more process in a container.
func (s *supervisor) exec(c *container, p *Process, stdio []*os.File) (number int, sent []*os.File, err error) {
	if len(p.Args) == 0 {
		return 0, nil, &Failure{Op: "exec in " + c.spec.ID, Text: "the process has no arguments"}
	}
	if err := c.running(); err != nil {
		return 0, nil, err
	}
	defer func() {
		if err != nil && c.running() != nil {
			err = syscall.ESRCH // the container's end is the reason for whatever went wrong
		}
	}()
	if s.nested(p) && !static(s.exe) {
		return 0, nil, &Failure{Op: "exec in " + c.spec.ID, Text: "to run more processes as a user other than root, a user with a single id needs a program " +
			"that is linked statically (CGO_ENABLED=0), or ranges in /etc/subuid and /etc/subgid with newuidmap and newgidmap"}
	}
	before := c.oomKills()
	p.Rlimits = append(p.Rlimits, s.groups.rlimits(c.spec.Resources)...)
	pid, sent, err := s.enter(c, p, stdio)
	if err != nil {
		return 0, nil, err
	}
	child := &process{pid: pid, done: make(chan struct{})}
	child.kill = child.signal
	s.jobs.Go(func() {
		child.exit = c.exitOf(child, reap(pid), before)
		close(child.done)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.processes = append(c.processes, child)
	return len(c.processes) - 1, sent, nil
}

// static says whether a program runs without a dynamic linker. That of the container would run with the helper's rights.
func static(program *os.File) bool {
	f, err := elf.Open(fdPath(program))
	if err != nil {
		return false
	}
	defer f.Close()
	return !slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}

// reap waits for a child.
func reap(pid int) (status syscall.WaitStatus) {
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		if !errors.Is(err, syscall.EINTR) {
			return status
		}
	}
}

// enter has the helper start the process and returns its pid. The process is this one's child when the helper has ended.
func (s *supervisor) enter(c *container, p *Process, stdio []*os.File) (int, []*os.File, error) {
	h, err := startHelper(s.exe, EnterName, stdio, &syscall.SysProcAttr{})
	if err != nil {
		return 0, nil, err
	}
	defer h.conn.Close()
	c.mu.Lock()
	removing, namespaces := c.removing, c.namespaces
	c.mu.Unlock()
	err = c.admit(h.cmd.Process.Pid)
	if removing {
		err = errors.Join(err, syscall.ESRCH)
	}
	if err == nil {
		err = h.conn.Send(enterMessage{Process: p, Nested: s.nested(p)}, append([]*os.File{s.exe}, namespaces...)...)
	}
	if err != nil {
		_ = h.signal(syscall.SIGKILL)
		_ = h.cmd.Wait()
		return 0, nil, err
	}
	if !s.nested(p) {
		sent, pid, err := h.started(nil)
		_ = h.cmd.Wait()
		return pid, sent, err
	}
	m, _, err := h.receive()
	_ = h.cmd.Wait()
	if err != nil {
		return 0, nil, err
	}
	sent, err := h.confineNested(m.PID, p)
	if err != nil {
		_ = syscall.Kill(m.PID, syscall.SIGKILL)
		reap(m.PID)
	}
	return m.PID, sent, err
}

// confineNested lets the second helper, which is in a user namespace of its own by now, become the process.
func (h *helper) confineNested(pid int, p *Process) ([]*os.File, error) {
	if err := writeMaps(pid, p); err != nil {
		return nil, err
	}
	if err := h.conn.Send(p); err != nil {
		return nil, h.ended(err)
	}
	sent, _, err := h.started(func() error { return nil })
	return sent, err
}
