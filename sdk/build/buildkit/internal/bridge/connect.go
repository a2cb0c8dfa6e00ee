package bridge

import (
	"context"
	"io"
	"net"
	"sync/atomic"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session/grpchijack"
)

// Connect connects to an engine. Its sessions end without a word: BuildKit's connection for them reads what is left of
// it while it is closed, in an order that makes the HTTP/2 server above complain on the program's standard error.
func Connect(ctx context.Context, address string, opts ...client.ClientOpt) (*client.Client, error) {
	var c *client.Client
	opts = append(opts, client.WithSessionDialer(func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
		conn, err := grpchijack.Dialer(c.ControlClient())(ctx, proto, meta)
		if err != nil {
			return nil, err
		}
		return &session{Conn: conn}, nil
	}))
	var err error
	c, err = client.New(ctx, address, opts...)
	return c, err
}

// session is a connection from which nothing is read once it is closed.
type session struct {
	net.Conn

	closed atomic.Bool
}

func (s *session) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if s.closed.Load() {
		return 0, io.EOF
	}
	return n, err
}

func (s *session) Close() error {
	s.closed.Store(true)
	return s.Conn.Close()
}
