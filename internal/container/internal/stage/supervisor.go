//go:build linux

package stage

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// supervisor is the process that all containers of a client descend from. It is PID 1 of a PID namespace that holds
// theirs: when it ends, however it ends, the kernel kills every process of every container. It ends when its client
// does, because the client holds the other end of its socket, and takes control groups and temporary files with it.
type supervisor struct {
	client *Conn
	exe    *os.File // this program, in a way that a container cannot write to
	groups *groupTree
	own    bool   // it has mounts of its own
	single bool   // its user namespace has one id only
	dir    string // for hosts files and scratch layers; "" until the first
	lock   *os.File

	mu         sync.Mutex
	containers map[string]*container
	networks   map[string]*network
	jobs       sync.WaitGroup
}

func supervisorMain() {
	client, err := helperSocket()
	if err != nil {
		os.Exit(1)
	}
	s := &supervisor{client: client, containers: map[string]*container{}, networks: map[string]*network{}}
	if err := s.prepare(); err != nil {
		_ = client.Send(Response{Failure: failure("start the supervisor", err)})
		os.Exit(1)
	}
	if err := client.Send(Response{Weaknesses: s.groups.weaknesses}); err == nil {
		s.serve()
	}
	s.shutdown()
}

func (s *supervisor) prepare() error {
	unix.Umask(0o022)
	s.single = singleID()
	if s.own = slices.Contains(os.Args, OwnMounts); s.own {
		// The first use of the rights that a user namespace should give: some systems let it be made but give none.
		if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return failure("make mounts private", err)
		}
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	// Every container needs it, so that it cannot be had is better said now.
	proc, err := openProc()
	if err != nil {
		return err
	}
	_ = proc.Close()
	exe, err := sealedExecutable()
	if err != nil {
		return err
	}
	defer exe.Close()
	if s.exe, err = highNumber(exe); err != nil {
		return err
	}
	sweepTemp()
	s.groups = newGroupTree()
	return nil
}

// serve answers requests until the client is gone.
func (s *supervisor) serve() {
	for {
		var q Request
		files, err := s.client.Receive(&q)
		if err != nil {
			return
		}
		// Before the next request is read, so that one to remove the container finds it.
		c, err := s.containerOf(&q)
		s.jobs.Go(func() {
			answer := Response{ID: q.ID}
			var sent []*os.File
			if err == nil {
				sent, err = s.answer(c, &q, files, &answer)
			}
			CloseAll(files)
			if err != nil {
				answer.Failure = failure(q.Op, err)
			}
			_ = s.client.Send(answer, sent...) // the client may be gone
			CloseAll(sent)
		})
	}
}

// containerOf is the container that a request is about, which is a new one if it is to be started.
func (s *supervisor) containerOf(q *Request) (*container, error) {
	if q.Op == OpStart {
		return s.register(q.Spec)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.containers[q.Container]
	if c == nil {
		return nil, &Failure{Op: q.Op + " " + q.Container, Errno: syscall.ESRCH}
	}
	return c, nil
}

func (s *supervisor) answer(c *container, q *Request, files []*os.File, a *Response) ([]*os.File, error) {
	switch q.Op {
	case OpStart:
		return s.start(c, files)
	case OpRestart:
		return s.restart(c, files)
	case OpExec:
		number, sent, err := s.exec(c, q.Exec, files)
		a.Process = number
		return sent, err
	case OpWait:
		exit, err := c.wait(q.Process)
		a.Exit = exit
		return nil, err
	case OpSignal:
		return nil, c.signal(q.Process, syscall.Signal(q.Signal))
	case OpDial:
		return one(c.dial(q.Network, q.Port, q.Timeout))
	case OpOpen:
		return one(c.open(q.Path))
	case OpProcesses:
		var err error
		a.Processes, err = c.listProcesses()
		return nil, err
	case OpListening:
		var err error
		a.Sockets, err = c.listening()
		return nil, err
	case OpUsage:
		var err error
		a.Usage, err = c.usage()
		return nil, err
	case OpRemove:
		return nil, s.remove(c)
	default:
		return nil, fmt.Errorf("unknown operation %q", q.Op)
	}
}

func one(f *os.File, err error) ([]*os.File, error) {
	if err != nil {
		return nil, err
	}
	return []*os.File{f}, nil
}

// shutdown kills and removes what is left.
func (s *supervisor) shutdown() {
	s.mu.Lock()
	left := make([]*container, 0, len(s.containers))
	for _, c := range s.containers {
		left = append(left, c)
	}
	s.mu.Unlock()
	for _, c := range left {
		_ = s.remove(c)
	}
	s.jobs.Wait()
	s.groups.remove()
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
		_ = s.lock.Close()
	}
}
