//go:build linux

package stage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// helper is a running helper process and the socket to it.
type helper struct {
	cmd  *exec.Cmd
	conn *Conn
}

// startHelper runs this program's file as the helper of that name.
func startHelper(exe *os.File, name string, stdio []*os.File, attributes *syscall.SysProcAttr) (*helper, error) {
	if len(stdio) != 3 {
		return nil, fmt.Errorf("%s takes 3 files, got %d", name, len(stdio))
	}
	ours, theirs, err := SocketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	// The program is handed over to be executed at a descriptor of its own. At the one it has here, the child may find
	// another file: os/exec puts a pipe at a number that is free as far as it knows.
	cmd := &exec.Cmd{
		Path: "/proc/self/fd/4", Args: []string{name}, Env: []string{},
		Stdin: stdio[0], Stdout: stdio[1], Stderr: stdio[2],
		ExtraFiles: []*os.File{theirs, exe}, SysProcAttr: attributes,
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
