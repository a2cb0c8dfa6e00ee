package docker

import (
	"bytes"
	"io"
	"sync"

	"github.com/moby/moby/api/pkg/stdcopy"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// output keeps what processes write, up to a limit over both streams. What comes after it is read and thrown away, so
// that a process which writes too much is not stopped by a full pipe.
type output struct {
	mu             sync.Mutex
	stdout, stderr bytes.Buffer
	left           int64
	truncated      bool
}

func newOutput(limit int64) *output { return &output{left: limit} }

// read takes the daemon's stream of both, apart, until it ends. After an error the output is not complete.
func (o *output) read(r io.Reader) error {
	_, err := stdcopy.StdCopy(stream{o, &o.stdout}, stream{o, &o.stderr}, r)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.truncated = true
	}
	return err
}

type stream struct {
	o *output
	b *bytes.Buffer
}

func (s stream) Write(p []byte) (int, error) {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	keep := p
	if int64(len(keep)) > s.o.left {
		keep, s.o.truncated = keep[:s.o.left], true
	}
	s.o.left -= int64(len(keep))
	s.b.Write(keep)
	return len(p), nil
}

func (o *output) logs() sandbox.Logs {
	o.mu.Lock()
	defer o.mu.Unlock()
	return sandbox.Logs{
		Stdout: bytes.Clone(o.stdout.Bytes()), Stderr: bytes.Clone(o.stderr.Bytes()), Truncated: o.truncated,
	}
}
