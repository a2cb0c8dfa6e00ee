package container

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/internal/container/internal/stage"
	"github.com/plimsoll-dev/plimsoll/internal/reexec"
)

// Options of a supervisor. The zero value is for a process that is root, on the host or in a user namespace of its own.
type Options struct {
	// UserNamespace puts the supervisor into a new user namespace in which this user is root, with mounts of its own.
	// That is how a user without root's rights runs containers; Spec.Root must then be readable to this user.
	UserNamespace bool
	// OwnMounts gives the supervisor mounts of its own, which [Spec.Scratch] needs and a user namespace brings with it.
	// What is mounted on the host later is then not seen by containers.
	OwnMounts bool
}

// Supervisor runs containers. It is safe for concurrent use.
type Supervisor struct {
	cmd        *exec.Cmd
	conn       *stage.Conn
	weaknesses []string
	single     bool
	stderr     *tail
	gone       chan struct{} // closed when the process ended

	mu      sync.Mutex
	last    uint64
	pending map[uint64]chan answer // nil when the supervisor is gone
}

type answer struct {
	stage.Response
	files []*os.File
}

// NewSupervisor starts a supervisor process. The caller closes it. An error that wraps [ErrUnavailable] says what this
// machine lacks.
func NewSupervisor(ctx context.Context, options Options) (*Supervisor, error) {
	ours, theirs, err := stage.SocketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	s := &Supervisor{conn: ours, stderr: &tail{}, gone: make(chan struct{}), pending: map[uint64]chan answer{}}
	s.cmd = reexec.Command(stage.SupervisorName)
	s.cmd.Env = []string{"TMPDIR=" + os.TempDir()}
	s.cmd.Stderr = s.stderr
	s.cmd.ExtraFiles = []*os.File{theirs}
	// A session of its own keeps Ctrl-C away from it: this process cleans up first.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: unix.CLONE_NEWPID}
	if options.UserNamespace || options.OwnMounts {
		s.cmd.Args = append(s.cmd.Args, stage.OwnMounts)
		s.cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWNS
	}
	if options.UserNamespace {
		s.single, err = StartInUserNamespace(ctx, s.cmd)
	} else if err = s.cmd.Start(); errors.Is(err, unix.EPERM) {
		err = fmt.Errorf("%w: this process may not make namespaces (%w): run it as root, or as an ordinary user where user namespaces are allowed", ErrUnavailable, err)
	}
	if err != nil {
		_ = ours.Close()
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.gone)
	}()
	stop := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	var hello stage.Response
	_, err = s.conn.Receive(&hello)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err == nil && hello.Failure != nil {
		err = hello.Failure
	}
	if err != nil {
		_ = s.conn.Close()
		<-s.gone
		return nil, s.explain(explainStart(err, options.UserNamespace))
	}
	s.weaknesses = hello.Weaknesses
	go s.receive()
	return s, nil
}

// Weaknesses are the limits that cannot be held on this machine, a sentence each.
func (s *Supervisor) Weaknesses() []string { return slices.Clone(s.weaknesses) }

// SingleID says whether the supervisor is in a user namespace of its own that has one id only.
func (s *Supervisor) SingleID() bool { return s.single }

// PID is the supervisor's process id.
func (s *Supervisor) PID() int { return s.cmd.Process.Pid }

// Close kills all containers, removes every trace of them and ends the supervisor.
func (s *Supervisor) Close() error {
	_ = s.conn.Close()
	const patience = time.Minute
	select {
	case <-s.gone:
		return nil
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		<-s.gone
		return fmt.Errorf("the container supervisor did not end within %s and was killed; it may have left control groups, which the next one removes", patience)
	}
}

// receive hands responses to those who wait for them.
func (s *Supervisor) receive() {
	for {
		var r stage.Response
		files, err := s.conn.Receive(&r)
		s.mu.Lock()
		if err != nil {
			for _, ch := range s.pending {
				close(ch)
			}
			s.pending = nil
			s.mu.Unlock()
			return
		}
		ch := s.pending[r.ID]
		delete(s.pending, r.ID)
		s.mu.Unlock()
		if ch == nil { // whoever asked did not wait
			stage.CloseAll(files)
			continue
		}
		ch <- answer{r, files}
	}
}

// call asks the supervisor something. After ctx ends, an answer is thrown away; what was asked for is done all the same.
func (s *Supervisor) call(ctx context.Context, q stage.Request, files ...*os.File) (answer, error) {
	ch := make(chan answer, 1)
	s.mu.Lock()
	if s.pending == nil {
		s.mu.Unlock()
		return answer{}, s.explain(io.EOF)
	}
	s.last++
	q.ID = s.last
	s.pending[q.ID] = ch
	s.mu.Unlock()
	if err := s.conn.Send(q, files...); err != nil {
		return answer{}, s.explain(err)
	}
	select {
	case a, ok := <-ch:
		if !ok {
			return answer{}, s.explain(io.EOF)
		}
		if a.Failure != nil {
			return a, a.Failure
		}
		return a, nil
	case <-ctx.Done():
		s.mu.Lock()
		_, waiting := s.pending[q.ID]
		delete(s.pending, q.ID)
		s.mu.Unlock()
		if !waiting { // the answer is just coming
			stage.CloseAll((<-ch).files)
		}
		return answer{}, context.Cause(ctx)
	}
}

// explain adds what the supervisor printed before it ended, which is a panic if anything.
func (s *Supervisor) explain(err error) error {
	if text := s.stderr.String(); text != "" && !errors.Is(err, ErrUnavailable) {
		return fmt.Errorf("the container supervisor ended: %s", text)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("the container supervisor is gone: %w", os.ErrProcessDone)
	}
	return err
}

// Stdio are a process's standard files; nil ones are /dev/null. They stay the caller's, who may close them after Start.
type Stdio struct {
	In, Out, Err *os.File
}

func (o Stdio) files() (files []*os.File, done func(), err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range []*os.File{o.In, o.Out, o.Err} {
		if f == nil {
			f = null
		}
		files = append(files, f)
	}
	return files, func() { _ = null.Close() }, nil
}

// Start starts a container and returns when its program runs. The caller removes it. An error to execute the program
// itself is a [Failure] for which [IsExec] is true.
func (s *Supervisor) Start(ctx context.Context, spec Spec, stdio Stdio) (*Container, error) {
	files, done, err := stdio.files()
	if err != nil {
		return nil, err
	}
	defer done()
	c := &Container{s: s, id: spec.ID}
	a, err := s.call(ctx, stage.Request{Op: stage.OpStart, Spec: &spec}, files...)
	if err != nil {
		if ctx.Err() != nil {
			// The supervisor may be in the middle of it.
			_ = c.Remove(context.WithoutCancel(ctx))
		}
		return nil, err
	}
	c.Terminal, err = terminal(a.files)
	return c, err
}

// tail keeps the beginning of what is written: a panic begins with its reason.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const limit = 8 << 10
	t.b.Write(p[:min(len(p), limit-t.b.Len())])
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(t.b.String())
}
