//go:build linux

package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/containerd/continuity/fs"
	"github.com/moby/buildkit/executor"
	"github.com/moby/buildkit/executor/oci"
	gatewayapi "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/internal/container"
)

// process fills in who the step's process is and what it may do.
func (e *Executor) process(spec *container.Spec, meta *executor.Meta) error {
	if len(meta.Args) == 0 {
		return errors.New("a step without a command")
	}
	who, err := container.ResolveUser(spec.Root, meta.User)
	if err != nil {
		return err
	}
	p := &spec.Process
	*p = container.Process{
		Args: meta.Args, Env: container.WithHome(meta.Env, who.Home), Dir: meta.Cwd, Terminal: meta.Tty,
		UID: who.UID, GID: who.GID, Groups: who.Groups,
	}
	if e.single {
		p.Groups = nil // there are none to be in
	}
	for _, u := range meta.Ulimit {
		if u == nil {
			continue
		}
		number, ok := rlimits()[strings.ToLower(u.Name)]
		if !ok {
			return fmt.Errorf("ulimit %q is not known", u.Name)
		}
		p.Rlimits = append(p.Rlimits, container.Rlimit{Resource: number, Soft: uint64(u.Soft), Hard: uint64(u.Hard)}) //nolint:gosec // -1 is no limit, as the kernel has it
	}
	if spec.Privileged {
		p.Capabilities, p.NewPrivileges = container.AllCapabilities(), true
		return nil
	}
	p.Capabilities = container.BuildCapabilities()
	p.Seccomp, err = container.DefaultFilter(p.Capabilities)
	return err
}

func rlimits() map[string]int {
	return map[string]int{
		"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA,
		"fsize": unix.RLIMIT_FSIZE, "locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK,
		"msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE, "nofile": unix.RLIMIT_NOFILE,
		"nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO, "rttime": unix.RLIMIT_RTTIME,
		"sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
	}
}

// resources are the definition's limits within the builder's.
func resources(r container.Resources, meta *executor.Meta) container.Resources {
	r.Parent = meta.CgroupParent
	asked := meta.LinuxResources
	if asked == nil {
		return r
	}
	if asked.Memory > 0 && (r.Memory == 0 || asked.Memory < r.Memory) {
		r.Memory = asked.Memory
	}
	if asked.CpuQuota > 0 {
		period := asked.CpuPeriod
		if period == 0 {
			period = 100_000
		}
		if cpus := float64(asked.CpuQuota) / float64(period); r.CPUs == 0 || cpus < r.CPUs {
			r.CPUs = cpus
		}
	}
	r.CPUShares, r.CPUSet, r.MemorySet = asked.CpuShares, asked.CpusetCpus, asked.CpusetMems
	return r
}

// makeWorkingDir makes the step's working directory if the image does not have it.
func makeWorkingDir(root, dir string, uid, gid int, single bool) error {
	path, err := fs.RootPath(root, dir)
	if err != nil {
		return fmt.Errorf("working directory %s: %w", dir, err)
	}
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if single {
		uid, gid = 0, 0
	}
	if err := user.MkdirAllAndChown(path, 0o755, uid, gid); err != nil {
		return fmt.Errorf("working directory %s: %w", dir, err)
	}
	return nil
}

// files are resolv.conf and hosts.
func (e *Executor) files(ctx context.Context, spec *container.Spec, meta *executor.Meta, undo *[]func()) ([]container.Mount, error) {
	state, err := os.OpenRoot(e.options.Root)
	if err != nil {
		return nil, err
	}
	defer state.Close()
	mode := meta.NetMode
	if spec.HostNetwork {
		mode = pb.NetMode_HOST
	}
	resolv, err := oci.GetResolvConf(ctx, state, nil, e.options.DNS, mode)
	if err != nil {
		return nil, err
	}
	hosts, clean, err := oci.GetHostsFile(ctx, state, meta.ExtraHosts, nil, spec.Hostname)
	if err != nil {
		return nil, err
	}
	if clean != nil {
		*undo = append(*undo, clean)
	}
	readOnly := []string{"ro", "nosuid", "noexec"}
	return []container.Mount{
		{Type: "bind", Source: filepath.Join(e.options.Root, resolv), Target: "/etc/resolv.conf", Options: readOnly},
		{Type: "bind", Source: filepath.Join(e.options.Root, hosts), Target: "/etc/hosts", Options: readOnly},
	}, nil
}

// exitError says how a step ended in the solver's terms.
func exitError(ctx context.Context, exit container.Exit, valid []int) error {
	if valid == nil {
		valid = []int{0}
	}
	if slices.Contains(valid, exit.Code) && ctx.Err() == nil {
		return nil
	}
	err := &gatewayapi.ExitError{ExitCode: uint32(exit.Code)} //nolint:gosec // 0 to 255
	if exit.OOM {
		err.Err = syscall.ENOMEM
	}
	if ctx.Err() != nil {
		err.Err = fmt.Errorf("%s: %w", err.Error(), context.Cause(ctx)) // as text: an error can't wrap itself
	}
	return err
}
