//go:build linux

package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
)

// serveChild is the child's main: it serves the one connection that it was given until that is closed.
func serveChild() {
	if err := serveOrders(os.Args[1]); err != nil {
		reply(answer{Error: err.Error()})
	}
}

func serveOrders(argument string) error {
	var o orders
	if err := json.Unmarshal([]byte(argument), &o); err != nil {
		return err
	}
	// Or every step would inherit them.
	syscall.CloseOnExec(3)
	syscall.CloseOnExec(4)
	place := &place{dir: o.Dir, lock: os.NewFile(4, "lock")}
	opt := Options{
		Snapshotter:   o.Snapshotter,
		MaxCacheBytes: o.MaxCacheBytes,
		PlainHTTP:     o.PlainHTTP,
		Log:           slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	engine, err := startServer(context.Background(), place, opt)
	if err != nil {
		return err
	}
	far := os.NewFile(3, "program")
	conn, err := net.FileConn(far)
	if err := errors.Join(err, far.Close()); err != nil {
		return err
	}
	l := &once{closed: make(chan struct{})}
	l.conn = &watched{Conn: conn, closed: sync.OnceFunc(func() { close(l.closed) })}
	engine.(*server).serve(l)
	reply(answer{About: engine.about()})
	<-l.closed
	if err := engine.close(); err != nil {
		opt.Log.Error("the engine did not end well", "error", err) // whoever could have been told has gone
	}
	return nil
}

// reply writes the child's one line. If nobody reads it any more, the connection ends as well.
func reply(a answer) { _ = json.NewEncoder(os.Stdout).Encode(a) }

// once is a listener for one connection.
type once struct {
	mu     sync.Mutex
	conn   net.Conn
	closed chan struct{}
}

// Accept returns the connection, and the next time waits until that is closed.
func (l *once) Accept() (net.Conn, error) {
	l.mu.Lock()
	conn := l.conn
	l.conn = nil
	l.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *once) Close() error   { return nil }
func (l *once) Addr() net.Addr { return &net.UnixAddr{Name: "inherited", Net: "unix"} }

// watched tells when a connection is closed, by whichever side.
type watched struct {
	net.Conn

	closed func()
}

func (w *watched) Close() error {
	w.closed()
	return w.Conn.Close()
}
