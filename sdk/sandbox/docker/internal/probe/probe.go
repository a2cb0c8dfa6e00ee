// Package probe looks into running instances by way of the kernel: from this process where it may, or from the helper,
// which is this program run again in a container beside the daemon. It imports little, so that the helper starts fast.
package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Path is where the helper is in its image, and its argv[0], by which the program knows that it is the helper.
const Path = "/plimsoll-docker-helper"

// Greeting is the first byte of each answer of the helper. It tells the answer from what the daemon writes in its place
// when there is no helper to run.
const Greeting = 0

// MaxProcFile bounds what is read of a file in /proc, which the instance can make as long as its arguments may be.
const MaxProcFile = 1 << 20

// ErrNotSeen is what Open says of a process that is not the container's: it has ended, or its number is one of another
// machine or PID namespace.
var ErrNotSeen = errors.New("the daemon's process is not seen from here")

const maxDatagram = 1<<16 - 1

// HelperError is an error as the helper says it: in JSON, on stderr.
type HelperError struct {
	Text              string
	Errno             syscall.Errno
	Done, Unsupported bool
}

func newHelperError(err error) HelperError {
	f := HelperError{Text: err.Error(), Done: errors.Is(err, os.ErrProcessDone), Unsupported: errors.Is(err, sandbox.ErrUnsupported)}
	_ = errors.As(err, &f.Errno)
	return f
}

// Error is what the helper said.
func (f *HelperError) Error() string { return f.Text }

// Unwrap is what callers ask for, as far as that crosses the border.
func (f *HelperError) Unwrap() error {
	switch {
	case f.Done:
		return os.ErrProcessDone
	case f.Unsupported:
		return sandbox.ErrUnsupported
	case f.Errno != 0:
		return f.Errno
	default:
		return nil
	}
}

// WriteDatagram writes a datagram with its length before it.
func WriteDatagram(w io.Writer, p []byte) (int, error) {
	if len(p) > maxDatagram {
		return 0, fmt.Errorf("a datagram of %d bytes: the limit is %d", len(p), maxDatagram)
	}
	if _, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(p))), p...)); err != nil { //nolint:gosec // checked above
		return 0, err
	}
	return len(p), nil
}

// ReadDatagram reads what WriteDatagram has written.
func ReadDatagram(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	p := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(r, p)
	return p, err
}
