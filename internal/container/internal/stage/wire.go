//go:build linux

package stage

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxMessage bounds one message; a process's arguments and environment are by far the largest part (2 MiB on Linux).
const maxMessage = 16 << 20

// Conn carries JSON messages and files over a unix socket: four bytes of length, to which the files are attached, then
// the JSON. Send may be called concurrently, Receive may not.
type Conn struct {
	c  *net.UnixConn
	mu sync.Mutex
}

// NewConn takes over the socket f.
func NewConn(f *os.File) (*Conn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("%s is not a unix socket", f.Name())
	}
	return &Conn{c: u}, nil
}

// SocketPair returns the two ends of a new socket.
func SocketPair() (ours *Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "socketpair")
	if ours, err = NewConn(os.NewFile(uintptr(fds[0]), "socketpair")); err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// release lets the other side's awaitRelease return.
func (c *Conn) release() error {
	_, err := c.c.Write([]byte{1})
	return err
}

// awaitRelease waits for release without the help of Go's scheduler, which might want a new thread for that: in a
// container that may have few of them it cannot have one.
func (c *Conn) awaitRelease() error {
	raw, err := c.c.SyscallConn()
	if err != nil {
		return err
	}
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		poll := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		for {
			if _, _, errno = unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, 0, 0, 0, 0); errno != unix.EINTR {
				break
			}
		}
		if errno == 0 {
			var b [1]byte
			var n uintptr
			if n, _, errno = unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&b)), 1); n == 0 && errno == 0 {
				errno = unix.EPIPE
			}
		}
	})
	if err == nil && errno != 0 {
		err = errno
	}
	return err
}

// Close closes the connection; a blocked Receive returns.
func (c *Conn) Close() error { return c.c.Close() }

// Send sends a message. The files stay the caller's.
func (c *Conn) Send(message any, files ...*os.File) error {
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	head := binary.NativeEndian.AppendUint32(nil, uint32(len(data)))
	if _, _, err := c.c.WriteMsgUnix(head, rights, nil); err != nil {
		return err
	}
	_, err = c.c.Write(data)
	return err
}

// Receive receives a message and the files that came with it, which are the caller's to close. io.EOF means that the
// other side is gone.
func (c *Conn) Receive(message any) ([]*os.File, error) {
	var head [4]byte
	oob := make([]byte, unix.CmsgSpace(16*4))
	n, oobn, flags, _, err := c.c.ReadMsgUnix(head[:], oob)
	if err != nil {
		if errors.Is(err, syscall.ECONNRESET) {
			err = io.EOF
		}
		return nil, err
	}
	if n == 0 {
		return nil, io.EOF
	}
	files, err := receivedFiles(oob[:oobn])
	if err == nil && flags&unix.MSG_CTRUNC != 0 {
		err = errors.New("files were lost on the way; is RLIMIT_NOFILE too low?")
	}
	if err == nil && n < len(head) {
		_, err = io.ReadFull(c.c, head[n:])
	}
	size := binary.NativeEndian.Uint32(head[:])
	if err == nil && size > maxMessage {
		err = fmt.Errorf("a message of %d bytes, the limit is %d", size, maxMessage)
	}
	if err == nil {
		data := make([]byte, size)
		if _, err = io.ReadFull(c.c, data); err == nil {
			err = json.Unmarshal(data, message)
		}
	}
	if err != nil {
		CloseAll(files)
		return nil, err
	}
	return files, nil
}

func receivedFiles(oob []byte) (files []*os.File, err error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

// CloseAll closes the files.
func CloseAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// failure puts an error into the form that crosses process boundaries.
func failure(op string, err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return &Failure{Op: op, Errno: errno}
	}
	return &Failure{Op: op, Text: err.Error()}
}
