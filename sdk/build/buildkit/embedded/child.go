//go:build linux

package embedded

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/internal/reexec"
)

// An engine of an ordinary user runs in a child, which is root in a user namespace of its own. It gets its orders as
// JSON in its argument, a connection as file 3 and the place's lock as file 4, so that nobody else takes the place
// before the child has ended as well. It answers with one line of JSON on its standard output, and logs on its standard
// error. It ends when the connection does.
const childName = "plimsoll-buildkit"

func init() { reexec.Hook(childName, serveChild) } //nolint:gochecknoinits // the exception: this program run again

// orders are what the child needs to know.
type orders struct {
	Dir           string
	Snapshotter   string
	MaxCacheBytes int64
	PlainHTTP     []string
}

// answer says that the child serves, or why it can't.
type answer struct {
	About about
	Error string
}

// child is an engine in a child process.
type child struct {
	place  *place
	cmd    *exec.Cmd
	conn   net.Conn
	dialed atomic.Bool
	said   about
	logged sync.WaitGroup
}

// startChild starts an engine in a child.
func startChild(ctx context.Context, place *place, opt Options) (engine, error) {
	argument, err := json.Marshal(orders{place.dir, opt.Snapshotter, opt.MaxCacheBytes, opt.PlainHTTP})
	if err != nil {
		return nil, err
	}
	conn, far, err := connection()
	if err != nil {
		return nil, err
	}
	defer far.Close()
	c := &child{place: place, cmd: reexec.Command(childName, string(argument)), conn: conn}
	c.cmd.Env = nil // its PATH, proxies and temporary directory are this process'
	c.cmd.ExtraFiles = []*os.File{far, place.lock}
	// Ctrl-C in a terminal is for this process, which then ends its builds one by one.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	logs, err := c.cmd.StderrPipe()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if _, err := container.StartInUserNamespace(ctx, c.cmd); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c.logged.Go(func() { hand(logs, opt.Log) })
	if err := c.await(out); err != nil {
		_ = conn.Close()
		c.logged.Wait()
		return nil, errors.Join(err, c.cmd.Wait())
	}
	return c, nil
}

// connection is a pair of connected sockets: one to use and one to give away.
func connection() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	near, far := os.NewFile(uintptr(fds[0]), "engine"), os.NewFile(uintptr(fds[1]), "program")
	defer near.Close()
	conn, err := net.FileConn(near)
	if err != nil {
		return nil, nil, errors.Join(err, far.Close())
	}
	return conn, far, nil
}

// await reads the child's answer.
func (c *child) await(out io.Reader) error {
	var a answer
	if err := json.NewDecoder(out).Decode(&a); err != nil {
		return fmt.Errorf("the engine's process ended before it answered: %w", err)
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	c.said = a.About
	return nil
}

// hand hands on what the child logs.
func hand(r io.Reader, log *slog.Logger) {
	for s := bufio.NewScanner(r); s.Scan(); {
		log.Info(s.Text())
	}
}

// dial returns the connection, once: when it is lost, the child has ended.
func (c *child) dial(context.Context) (net.Conn, error) {
	if c.dialed.Swap(true) {
		return nil, errors.New("the engine's process has ended")
	}
	return c.conn, nil
}

func (c *child) about() about { return c.said }

// close closes the connection and waits until the child has cleaned up.
func (c *child) close() error {
	err := c.conn.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil // by the client
	}
	c.logged.Wait()
	return errors.Join(err, c.cmd.Wait(), c.place.release())
}
