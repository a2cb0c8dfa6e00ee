package fake

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Processes lists the main process and the runtime's Processes.
func (i *Instance) Processes(context.Context) ([]sandbox.Process, error) {
	if i.current().ended() {
		return nil, fmt.Errorf("instance %s: %w", i.id, os.ErrProcessDone)
	}
	user, group, _ := strings.Cut(i.user, ":")
	uid, _ := strconv.Atoi(user) // a name counts as root: a fake has no /etc/passwd
	gid, _ := strconv.Atoi(group)
	main := sandbox.Process{PID: 1, UID: uid, GID: gid, State: "S", Args: i.args, NoNewPrivs: true, Seccomp: true}
	return append([]sandbox.Process{main}, i.runtime.Processes...), nil
}

// Listening lists the ports that the program listens on.
func (i *Instance) Listening(context.Context) ([]sandbox.Socket, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var sockets []sandbox.Socket
	for p := range i.ports {
		sockets = append(sockets, sandbox.Socket{Network: p.network, Address: "0.0.0.0", Port: p.number})
	}
	slices.SortFunc(sockets, func(a, b sandbox.Socket) int { return a.Port - b.Port })
	return sockets, nil
}

// ReadFile reads a file of the instance.
func (i *Instance) ReadFile(_ context.Context, name string) ([]byte, error) { return i.readFile(name) }

func (i *Instance) readFile(name string) ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	data, ok := i.files[path.Clean(name)]
	if !ok {
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	}
	if int64(len(data)) > i.spec.Limits.Output {
		data = data[:i.spec.Limits.Output]
	}
	return slices.Clone(data), nil
}

func (i *Instance) writable(name string) bool {
	if i.spec.WritableRoot {
		return true
	}
	tmpfs := i.spec.Tmpfs
	if tmpfs == nil {
		tmpfs = []string{"/tmp", "/run"}
	}
	return slices.ContainsFunc(tmpfs, func(dir string) bool { return strings.HasPrefix(path.Clean(name), path.Clean(dir)+"/") })
}

// Usage is the runtime's.
func (i *Instance) Usage(context.Context) (sandbox.Usage, error) {
	if i.current().ended() {
		return sandbox.Usage{}, fmt.Errorf("instance %s: %w", i.id, os.ErrProcessDone)
	}
	return i.runtime.Usage, nil
}
