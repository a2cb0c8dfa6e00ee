//go:build linux

package native

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// capture keeps what processes write, up to a limit over both streams. What comes after it is read and thrown away, so
// that a process which writes too much is not stopped by a full pipe.
type capture struct {
	mu        sync.Mutex
	streams   [2]bytes.Buffer // stdout, stderr
	left      int64
	truncated bool
	copies    sync.WaitGroup
	open      []*os.File // our ends
}

func newCapture(limit int64) *capture { return &capture{left: limit} }

// pipes returns the process's ends; begin closes them here and starts to read.
func (c *capture) pipes() (stdio container.Stdio, begin func(), err error) {
	out, outWriter, err := os.Pipe()
	if err != nil {
		return stdio, nil, err
	}
	errs, errsWriter, err := os.Pipe()
	if err != nil {
		return stdio, nil, errors.Join(err, out.Close(), outWriter.Close())
	}
	stdio = container.Stdio{Out: outWriter, Err: errsWriter}
	return stdio, func() {
		_ = outWriter.Close()
		_ = errsWriter.Close()
		for i, f := range []*os.File{out, errs} {
			c.mu.Lock()
			c.open = append(c.open, f)
			c.mu.Unlock()
			c.copies.Go(func() {
				defer f.Close()
				_, _ = io.Copy(keeper{c, i}, f)
			})
		}
	}, nil
}

type keeper struct {
	c      *capture
	stream int
}

func (k keeper) Write(p []byte) (int, error) {
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	keep := p
	if int64(len(keep)) > k.c.left {
		keep, k.c.truncated = keep[:k.c.left], true
	}
	k.c.left -= int64(len(keep))
	_, _ = k.c.streams[k.stream].Write(keep) // a Buffer takes all
	return len(p), nil
}

func (c *capture) logs() sandbox.Logs {
	c.mu.Lock()
	defer c.mu.Unlock()
	return sandbox.Logs{
		Stdout: bytes.Clone(c.streams[0].Bytes()), Stderr: bytes.Clone(c.streams[1].Bytes()), Truncated: c.truncated,
	}
}

// finish waits for the rest of the output of a process that has ended. Children that it has left may hold it open for
// good, so what comes late is not waited for.
func (c *capture) finish() {
	done := make(chan struct{})
	go func() {
		c.copies.Wait()
		close(done)
	}()
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		c.stop()
	}
}

// stop ends reading.
func (c *capture) stop() {
	c.mu.Lock()
	for _, f := range c.open {
		_ = f.Close()
	}
	c.mu.Unlock()
	c.copies.Wait()
}
