//go:build linux

package stage

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
)

// process is one process that the supervisor started.
type process struct {
	pid    int // in the supervisor's PID namespace
	kill   func(syscall.Signal) error
	killed atomic.Bool // by the supervisor, so not by the memory limit
	done   chan struct{}
	exit   Exit // valid when done is closed
}

func (c *container) oomKills() int {
	for _, g := range c.groups {
		if g.has("memory") {
			return g.oomKills()
		}
	}
	return 0
}

// exitOf reads a wait status.
func exitOf(status syscall.WaitStatus) Exit {
	e := Exit{Code: status.ExitStatus()}
	if status.Signaled() {
		e.Signal = status.Signal()
		e.Code = 128 + int(e.Signal)
	}
	return e
}

// exitOf reads a wait status. The memory limit counts as the cause of a kill if there were fewer kills by it before, and
// the supervisor did not kill the process.
func (c *container) exitOf(p *process, status syscall.WaitStatus, before int) Exit {
	e := exitOf(status)
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
