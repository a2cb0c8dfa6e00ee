package container

import (
	"os"

	"github.com/plimsoll-dev/plimsoll/internal/container/internal/stage"
)

// ErrNotJoined is why a container of another runtime cannot be joined from here such that a process would be confined as
// those that the runtime starts: it has a user namespace of its own, a security module labels it, or its control groups
// are not seen from here.
var ErrNotJoined = stage.ErrNotJoined

// Joiner lets processes into containers that another runtime, such as Docker's, has made on this machine. It needs root.
// It is safe for concurrent use.
type Joiner struct{ j *stage.Joiner }

// NewJoiner opens what a joiner needs. The caller closes it.
func NewJoiner() (*Joiner, error) {
	j, err := stage.NewJoiner()
	if err != nil {
		return nil, err
	}
	return &Joiner{j}, nil
}

// Close closes it. Guests stay.
func (j *Joiner) Close() error { return j.j.Close() }

// Guest is a helper in the control groups of a container, but not in its PID namespace. It counts for the container's
// limits; who measures the container closes it before. It is safe for concurrent use.
type Guest struct{ g *stage.Guest }

// Join starts a guest in the container that member is in, the directory of a process in /proc. What the guest starts has
// the resource limits. An error that wraps [ErrNotJoined] says that a process would not be confined there as the others
// are. The caller closes the guest, before the container is removed.
func (j *Joiner) Join(member *os.File, limits []Rlimit) (*Guest, error) {
	g, err := j.j.Join(member, limits)
	if err != nil {
		return nil, err
	}
	return &Guest{g}, nil
}

// Close ends the guest. Processes that it has started go on, but nobody learns how they end.
func (g *Guest) Close() { g.g.Close() }

// Start starts a process in the container's namespaces and control groups, without keys or open files of this program.
// The rest of the confinement is what the process says, but for its Rlimits, which are the guest's. An error for which
// [IsExec] is true says that the program could not be executed. The caller waits for the process.
func (g *Guest) Start(process Process, stdio Stdio) (*Joined, error) {
	files, done, err := stdio.files()
	if err != nil {
		return nil, err
	}
	defer done()
	return g.g.Start(&process, files)
}

// Joined is a process that a [Guest] has started.
type Joined = stage.Joined
