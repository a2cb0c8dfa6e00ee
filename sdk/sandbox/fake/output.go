package fake

import (
	"bytes"
	"sync"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// output keeps what a process writes, up to a limit over both streams.
type output struct {
	mu             sync.Mutex
	stdout, stderr bytes.Buffer
	left           int64
	truncated      bool
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

func newOutput(limit int64) *output { return &output{left: limit} }

func (o *output) logs() sandbox.Logs {
	o.mu.Lock()
	defer o.mu.Unlock()
	return sandbox.Logs{
		Stdout:    bytes.Clone(o.stdout.Bytes()),
		Stderr:    bytes.Clone(o.stderr.Bytes()),
		Truncated: o.truncated,
	}
}
