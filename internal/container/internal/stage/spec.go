// Package stage is the child's side of package container: what runs in the supervisor process and in the processes that
// become a container's own. It is apart from package container so that these processes initialise little before they
// start to work: it imports the standard library and golang.org/x/sys only.
package stage

import (
	"fmt"
	"syscall"
	"time"
)

// Spec says what a container is. Only ID, Root and Process.Args are required.
type Spec struct {
	// ID names the container within its supervisor.
	ID string
	// Root is the directory that becomes "/".
	Root string
	// ReadonlyRoot makes "/" read-only; mounts on it are not affected.
	ReadonlyRoot bool
	// Scratch lays a writable layer in memory over Root, of at most so many bytes, which lives as long as the container.
	// Root itself stays as it is. It needs a supervisor with mounts of its own.
	Scratch int64
	// Files are written after the mounts are made, into them or into the Scratch layer.
	Files []File
	// Mounts are made in order, after /proc, /dev and /sys. Missing targets are created in Root.
	Mounts []Mount
	// Hostname in the container's own UTS namespace. Default: the ID.
	Hostname string
	// HostNetwork shares the supervisor's network. Otherwise the container gets its own, with a loopback interface.
	HostNetwork bool
	// Network joins containers of one supervisor with the same Network on one private network; empty for none.
	// Containers find each other by Hostname in the file that the supervisor mounts on /etc/hosts.
	Network string
	// Privileged leaves out what confines a container: read-only and masked paths, nodev, a read-only /sys.
	Privileged bool
	// Process is the container's first process, its PID 1.
	Process Process
	// Resources bound all processes of the container together.
	Resources Resources
}

// Mount is one mount of a container, named as in mount(8). Type is "bind" or "tmpfs".
type Mount struct {
	Type, Source, Target string
	// Subpath of a bind's Source, found without leaving Source whatever links lie on the way. Default: Source itself.
	Subpath string
	// Options of mount(8): "ro", "rbind", "noexec", "nosuid", "nodev"; others are passed to the file system.
	Options []string
}

// File is a small regular file of root's.
type File struct {
	Path string
	Mode uint32
	Data []byte
}

// Process is one process of a container.
type Process struct {
	Args []string
	Env  []string // name=value; PATH among them finds Args[0]
	// Dir is the working directory. Default "/".
	Dir string
	// UID, GID and Groups, in the ids of the supervisor's user namespace. If that has a single id, the process gets a
	// nested one in which it is UID and GID, and Groups must be empty.
	UID, GID int
	Groups   []int
	// Capabilities is the set that the process may ever have, as a bit mask. Root has them all from the start, others
	// none: nothing is inheritable or ambient, as with Docker.
	Capabilities uint64
	// NewPrivileges lets the process gain privileges by executing setuid files.
	NewPrivileges bool
	// Seccomp is the filter as the kernel wants it (struct sock_filter in native byte order); empty for none.
	Seccomp []byte
	// Rlimits are set in this order.
	Rlimits []Rlimit
	// Terminal gives the process a terminal as stdin, stdout and stderr.
	Terminal bool
}

// Rlimit is one resource limit, by the kernel's number (RLIMIT_NOFILE).
type Rlimit struct {
	Resource   int
	Soft, Hard uint64
}

// Resources are the limits of a container's control group. Zero means no limit.
type Resources struct {
	Memory    int64   // bytes, swap included
	PIDs      int     // processes and threads
	CPUs      float64 // cores
	CPUShares uint64  // cgroup v1 weight, 2-262144
	CPUSet    string  // list as "0-2,4"
	MemorySet string  // memory nodes as "0-1"
	Parent    string  // control group under which the container's is made, relative to the supervisor's
}

// Exit is how a process ended.
type Exit struct {
	Code   int            // 128+Signal when a signal killed it
	Signal syscall.Signal // 0 when it exited by itself
	OOM    bool           // the memory limit killed it or one of its children
}

// Usage is what all processes of a container use. Memory is in bytes, without the page cache.
type Usage struct {
	Memory int64
	PIDs   int
	CPU    time.Duration // since the container was made
}

// ProcessInfo is a process as seen from outside. PID and Parent are those inside the container.
type ProcessInfo struct {
	PID, Parent  int
	UID, GID     int
	State        string
	Args         []string
	Capabilities uint64
	NoNewPrivs   bool
	Seccomp      bool
}

// Socket is a listening socket; Network is "tcp", "tcp6", "udp" or "udp6".
type Socket struct {
	Network string
	Address string
	Port    int
}

// Failure is an error that crossed a process boundary. Errno is 0 when there is none.
type Failure struct { //nolint:errname // it is data before it is an error
	Op      string // what was tried, with its object: "mount tmpfs on /run"
	Text    string // what went wrong when there is no Errno
	Errno   syscall.Errno
	Program bool // it was the container's program that could not be executed
}

func (f *Failure) Error() string {
	if f.Errno != 0 {
		return fmt.Sprintf("%s: %s", f.Op, f.Errno.Error())
	}
	return fmt.Sprintf("%s: %s", f.Op, f.Text)
}

// Unwrap gives the errno, so that errors.Is(err, os.ErrNotExist) works.
func (f *Failure) Unwrap() error {
	if f.Errno != 0 {
		return f.Errno
	}
	return nil
}

// ProcOp is the Op of a failure to mount /proc.
const ProcOp = "mount /proc"

// The names (argv[0]) of the helpers.
const (
	SupervisorName = "plimsoll-supervisor"
	InitName       = "plimsoll-init"
	EnterName      = "plimsoll-enter"
	NestedName     = "plimsoll-nested"
	MappedName     = "plimsoll-mapped"
	GuestName      = "plimsoll-guest"
)

// OwnMounts is the argument of a supervisor that was started with mounts of its own.
const OwnMounts = "own-mounts"

// Request is what a client asks of the supervisor. Each gets one [Response].
type Request struct {
	ID        uint64
	Op        string // one of the Op constants
	Container string
	Process   int      // of a container; 0 is the first
	Spec      *Spec    // start
	Exec      *Process // exec
	Signal    int      // signal
	Network   string   // dial: "tcp" or "udp"
	Port      int      // dial
	Timeout   time.Duration
	Path      string // open
}

// The operations of the supervisor.
const (
	OpStart     = "start"     // 3 files: stdin, stdout, stderr
	OpRestart   = "restart"   // likewise; the first process must have ended
	OpExec      = "exec"      // likewise; answers the process's number
	OpWait      = "wait"      // answers when the process ended
	OpSignal    = "signal"    //
	OpDial      = "dial"      // answers with 1 file
	OpOpen      = "open"      // answers with 1 file
	OpProcesses = "processes" //
	OpListening = "listening" //
	OpUsage     = "usage"     //
	OpRemove    = "remove"    // answers when nothing of the container is left
)

// Response answers the request with the same ID.
type Response struct {
	ID         uint64
	Failure    *Failure
	Process    int
	Exit       Exit
	Processes  []ProcessInfo
	Sockets    []Socket
	Usage      Usage
	Weaknesses []string // only in the first message, with ID 0
}
