//go:build linux

package executor

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/moby/buildkit/executor"
	"github.com/moby/buildkit/solver/pb"

	"github.com/plimsoll-dev/plimsoll/internal/container"
)

// prepare mounts the step's files and says what its container is. The caller calls release in any case.
func (e *Executor) prepare(ctx context.Context, id string, root executor.Mount, mounts []executor.Mount, meta *executor.Meta) (spec *container.Spec, release func(), err error) {
	var undo []func()
	release = func() {
		for _, f := range slices.Backward(undo) {
			f()
		}
	}
	if meta.Proxy != nil {
		return nil, release, errors.New("a proxy network is not supported by the embedded builder")
	}
	if len(meta.CDIDevices) > 0 {
		return nil, release, errors.New("CDI devices are not supported by the embedded builder")
	}
	if err := pb.ValidateSecurityMode(meta.SecurityMode); err != nil {
		return nil, release, err
	}
	dir := filepath.Join(e.options.Root, id)
	if err := os.Mkdir(dir, 0o711); err != nil {
		return nil, release, err
	}
	undo = append(undo, func() { _ = os.RemoveAll(dir) })
	m := &mounter{dir: dir, undo: &undo}
	rootfs, err := m.mountRoot(ctx, root)
	if err != nil {
		return nil, release, err
	}
	stubs := executor.MountStubsCleaner(context.WithoutCancel(ctx), rootfs, mounts, meta.RemoveMountStubsRecursive)
	undo = append(undo, stubs)
	spec = &container.Spec{
		ID: id, Root: rootfs, Hostname: meta.Hostname,
		ReadonlyRoot: meta.ReadonlyRootFS || root.Readonly,
		HostNetwork:  meta.NetMode == pb.NetMode_HOST || meta.NetMode == pb.NetMode_UNSET && !e.options.NoNetwork,
		Privileged:   meta.SecurityMode == pb.SecurityMode_INSECURE,
		Resources:    resources(e.options.Resources, meta),
	}
	if spec.Hostname == "" {
		spec.Hostname = "buildkitsandbox" // as BuildKit's own executors call it
	}
	if err := e.process(spec, meta); err != nil {
		return nil, release, err
	}
	if err := makeWorkingDir(rootfs, meta.Cwd, spec.Process.UID, spec.Process.GID, e.single); err != nil {
		return nil, release, err
	}
	if spec.Mounts, err = e.files(ctx, spec, meta, &undo); err != nil {
		return nil, release, err
	}
	for _, one := range mounts {
		made, err := m.mount(ctx, one)
		if err != nil {
			return nil, release, err
		}
		spec.Mounts = append(spec.Mounts, made...)
	}
	return spec, release, nil
}

// startError makes an error of Start one that the solver understands. That the program does not exist is the step's own
// failure, with the exit code that a shell would give it.
func startError(ctx context.Context, err error, process *executor.ProcessInfo) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !container.IsExec(err) {
		return err
	}
	exit := container.Exit{Code: 126}
	if errors.Is(err, os.ErrNotExist) {
		exit.Code = 127
	}
	if process.Stderr != nil {
		_, _ = io.WriteString(process.Stderr, err.Error()+"\n")
	}
	return exitError(ctx, exit, process.Meta.ValidExitCodes)
}
