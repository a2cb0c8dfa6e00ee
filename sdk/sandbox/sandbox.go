// Package sandbox says what a locked-down instance of an image under test is. Implementations live beside it:
// sandbox/docker (testcontainers) and sandbox/native (namespaces of this machine, nothing to install); sandbox/fake runs a
// Go function as the "image" for tests of step libraries, and sandbox/sandboxtest has the tests that every one passes.
//
// The defaults are the lock: no network but the private one between the instances of a test, a read-only root where
// the test does not ask for more, no capability, no new privileges, limits on memory, processes, time and output.
// Credentials of any kind never get in.
package sandbox

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ErrUnsupported is what an implementation returns (wrapped, naming what and why) for something that it can't do.
// A test step that meets it fails; it never passes and is never skipped.
var ErrUnsupported = errors.New("not supported by this sandbox")

// Runtime starts instances. Implementations are safe for concurrent use.
type Runtime interface {
	// Start starts an instance and returns when its main process runs; it does not wait until it serves.
	// The caller closes the instance. When ctx ends before Start returns, nothing stays behind.
	Start(ctx context.Context, spec Spec) (Instance, error)
	// Name is "docker" or "embedded", as results print it.
	Name() string
}

// PlatformRuntime is an optional interface of a [Runtime] that knows what it can run.
type PlatformRuntime interface {
	// CanRun returns nil when images of the platform ("linux/arm64") run here, natively or emulated, and else an error
	// that wraps [ErrUnsupported] and says why not.
	CanRun(ctx context.Context, platform string) error
}

// WeakRuntime is an optional interface of a [Runtime] that may not be able to keep all that this package promises on the
// machine that it runs on.
type WeakRuntime interface {
	// Weaknesses are what it does not keep here, a sentence each, for results to say. None is the normal case.
	Weaknesses() []string
}

// Spec says what to start. Image and Platform are required.
type Spec struct {
	// Image is the image, one platform's manifest. Its digest identifies it in results.
	Image v1.Image
	// Platform is the image's "os/arch[/variant]".
	Platform string
	// Name is the instance's host name in the private network of its Network. Default "instance".
	Name string
	// Network joins instances with the same non-empty Network of the same runtime on one private network.
	// Empty: loopback only.
	Network string
	// Entrypoint and Args replace the image's entrypoint and command when not nil. Env adds to the image's environment as
	// name=value. User and Dir replace the image's when not empty.
	Entrypoint, Args, Env []string
	User, Dir             string
	// WritableRoot gives a scratch layer over the image's files; otherwise the root is read-only.
	WritableRoot bool
	// Tmpfs are directories that are empty, writable and in memory. Default /tmp and /run.
	Tmpfs []string
	// Files are put in before the start, readable by everybody; keys are absolute paths.
	Files map[string][]byte
	// Capabilities to keep ("NET_BIND_SERVICE"); default none.
	Capabilities []string
	// Limits of the instance; zero fields mean the defaults of [DefaultLimits].
	Limits Limits
}

// Limits bound an instance.
type Limits struct {
	Memory int64         // bytes of memory, swap included
	PIDs   int           // processes and threads
	CPUs   float64       // cores
	Output int64         // bytes of log and of each command's output that are kept; more is cut off and said so
	Life   time.Duration // after which the instance is killed
}

// DefaultLimits returns the limits used for zero fields: 512 MiB, 256 processes, 2 CPUs, 4 MiB of output, 10 minutes.
func DefaultLimits() Limits {
	return Limits{Memory: 512 << 20, PIDs: 256, CPUs: 2, Output: 4 << 20, Life: 10 * time.Minute}
}

// OrDefault replaces zero fields by those of [DefaultLimits].
func (l Limits) OrDefault() Limits {
	d := DefaultLimits()
	if l.Memory == 0 {
		l.Memory = d.Memory
	}
	if l.PIDs == 0 {
		l.PIDs = d.PIDs
	}
	if l.CPUs == 0 {
		l.CPUs = d.CPUs
	}
	if l.Output == 0 {
		l.Output = d.Output
	}
	if l.Life == 0 {
		l.Life = d.Life
	}
	return l
}

// Instance is a running (or ended) instance. All methods are safe for concurrent use.
// What not every sandbox can do is an optional interface: [Execer], [Signaler], [Inspector], [Restarter], [Meter].
type Instance interface {
	// ID identifies it in messages.
	ID() string
	// Dial connects to a port that the instance itself listens on ("tcp" or "udp"), from inside its network: a connection
	// means that the service accepted it, not a proxy in between.
	Dial(ctx context.Context, network string, port int) (net.Conn, error)
	// Logs is stdout and stderr so far, up to Limits.Output.
	Logs(ctx context.Context) (Logs, error)
	// Wait waits until the main process ends. Logs are complete when it returns.
	Wait(ctx context.Context) (Exit, error)
	// Close kills what still runs and removes every trace. It may be called more than once.
	Close(ctx context.Context) error
}

// Logs is what an instance or command wrote. Truncated says that output beyond the limit was dropped.
type Logs struct {
	Stdout, Stderr []byte
	Truncated      bool
}

// Exit is how a process ended. Signal is its number when a signal killed it; Code is then 128+Signal. OOM says that the memory limit did.
type Exit struct {
	Code   int
	Signal int
	OOM    bool
}

// Execer runs a command in a running instance. No shell is involved: Args is the argument vector.
type Execer interface {
	Exec(ctx context.Context, cmd Command) (Output, error)
}

// Command is a command to run inside an instance. Args is required; User and Dir default to the instance's.
type Command struct {
	Args      []string
	Env       []string
	User, Dir string
	Stdin     io.Reader
}

// Output is what a command left. Duration runs from its start to its end.
type Output struct {
	Exit     Exit
	Logs     Logs
	Duration time.Duration
}

// Signaler sends a signal by number to the main process.
type Signaler interface {
	Signal(ctx context.Context, signal int) error
}

// Restarter stops the main process (SIGTERM, then SIGKILL after the grace time) and starts it again on the same files, but
// for its tmpfs, which are empty then. The log goes on. A Wait under way returns how the process ended.
type Restarter interface {
	Restart(ctx context.Context, grace time.Duration) error
}

// Inspector looks at a running instance from outside, without any program in the image.
type Inspector interface {
	// Processes lists the instance's processes, the main process first.
	Processes(ctx context.Context) ([]Process, error)
	// Listening lists the sockets that processes of the instance listen on, from its own network namespace.
	Listening(ctx context.Context) ([]Socket, error)
	// ReadFile reads a regular file of the running instance, tmpfs included, up to Limits.Output bytes.
	ReadFile(ctx context.Context, path string) ([]byte, error)
}

// Meter measures what an instance uses.
type Meter interface {
	// Usage is what all processes of the instance use at present.
	Usage(ctx context.Context) (Usage, error)
}

// Usage is what an instance uses. Memory is in bytes, without the page cache; CPU is the time since the start.
type Usage struct {
	Memory int64
	PIDs   int
	CPU    time.Duration
}

// Process is one process of an instance. Capabilities is the effective set's bit mask as in /proc/pid/status.
type Process struct {
	PID          int
	Parent       int
	UID, GID     int
	State        string // one letter as in /proc/pid/stat; "Z" is a zombie
	Args         []string
	Capabilities uint64
	NoNewPrivs   bool
	Seccomp      bool
}

// Socket is a listening socket. Network is "tcp", "tcp6", "udp" or "udp6".
type Socket struct {
	Network string
	Address string
	Port    int
}
