package docker

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker/internal/probe"
)

// tunnel is a connection through the standard files of a command in the helper: it writes to stdin, and reads the frames
// of stdout that the daemon sends. Datagrams go with their length before them.
type tunnel struct {
	client.HijackedResponse
	datagrams bool
	network   string
	port      int

	header [8]byte // of the current frame, as far as it has come
	filled int
	left   int // bytes of the current frame
	stderr []byte
	length [2]byte // of the current datagram
	read   int
	packet []byte
}

const stdoutFrame = 1

// established waits for the byte that says that the helper has connected.
func (t *tunnel) established() error {
	var first [1]byte
	_, err := io.ReadFull(stdout{t}, first[:])
	switch {
	case err != nil && len(t.stderr) > 0:
		return told(t.stderr)
	case err == nil && first[0] != probe.Greeting:
		text, _ := io.ReadAll(io.LimitReader(stdout{t}, probe.MaxProcFile))
		return told(append(first[:], text...))
	default:
		return err
	}
}

// stdout reads the stream. After an error of a deadline it goes on where it was.
type stdout struct{ t *tunnel }

func (s stdout) Read(p []byte) (int, error) {
	t := s.t
	for {
		for t.left == 0 {
			n, err := t.Reader.Read(t.header[t.filled:])
			if t.filled += n; t.filled == len(t.header) {
				t.left, t.filled = int(binary.BigEndian.Uint32(t.header[4:])), 0
			} else if err != nil {
				return 0, err
			}
		}
		if t.header[0] == stdoutFrame {
			n, err := t.Reader.Read(p[:min(len(p), t.left)])
			t.left -= n
			return n, err
		}
		b := make([]byte, min(t.left, 4096))
		n, err := t.Reader.Read(b)
		t.left -= n
		t.stderr = append(t.stderr, b[:min(n, probe.MaxProcFile-len(t.stderr))]...)
		if err != nil {
			return 0, err
		}
	}
}

func (t *tunnel) Read(p []byte) (int, error) {
	if !t.datagrams {
		return stdout{t}.Read(p)
	}
	for t.read < len(t.length) {
		n, err := stdout{t}.Read(t.length[t.read:])
		if t.read += n; err != nil && t.read < len(t.length) {
			return 0, err
		}
	}
	for size := int(binary.BigEndian.Uint16(t.length[:])); len(t.packet) < size; {
		b := make([]byte, size-len(t.packet))
		n, err := stdout{t}.Read(b)
		if t.packet = append(t.packet, b[:n]...); err != nil && len(t.packet) < size {
			return 0, err
		}
	}
	n := copy(p, t.packet)
	t.read, t.packet = 0, nil
	return n, nil
}

func (t *tunnel) Write(p []byte) (int, error) {
	if !t.datagrams {
		return t.Conn.Write(p)
	}
	return probe.WriteDatagram(t.Conn, p)
}

// Close ends the helper's command, which ends with its stdin.
func (t *tunnel) Close() error {
	err := t.Conn.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (t *tunnel) LocalAddr() net.Addr  { return t.address(0) }
func (t *tunnel) RemoteAddr() net.Addr { return t.address(t.port) }

func (t *tunnel) address(port int) net.Addr {
	loopback := net.IPv4(127, 0, 0, 1)
	if t.datagrams {
		return &net.UDPAddr{IP: loopback, Port: port}
	}
	return &net.TCPAddr{IP: loopback, Port: port}
}

func (t *tunnel) SetDeadline(at time.Time) error      { return t.Conn.SetDeadline(at) }
func (t *tunnel) SetReadDeadline(at time.Time) error  { return t.Conn.SetReadDeadline(at) }
func (t *tunnel) SetWriteDeadline(at time.Time) error { return t.Conn.SetWriteDeadline(at) }
