//go:build linux

package embedded

import (
	"context"
	"io"

	"github.com/moby/buildkit/executor"
	"github.com/moby/buildkit/executor/resources"
	"github.com/moby/buildkit/executor/runcexecutor"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/network"

	own "github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/internal/executor"
)

// newExecutor returns what runs steps, and what closes it: runc, or Plimsoll's own executor if there is none.
func newExecutor(ctx context.Context, dir, runc string) (executor.Executor, io.Closer, error) {
	if runc == "" {
		e, err := own.New(ctx, own.Options{Root: dir, NoNetwork: true})
		return e, e, err
	}
	monitor, err := resources.NewMonitor()
	if err != nil {
		return nil, nil, err
	}
	e, err := runcexecutor.New(runcexecutor.Opt{Root: dir, CommandCandidates: []string{runc}, ResourceMonitor: monitor}, networks())
	return e, monitor, err
}

func executorName(runc string) string {
	if runc == "" {
		return "plimsoll"
	}
	return "runc"
}

// networks are what steps can have: loopback only or the host's. A step that names none gets loopback only.
func networks() map[pb.NetMode]network.Provider {
	return map[pb.NetMode]network.Provider{
		pb.NetMode_UNSET: network.NewNoneProvider(),
		pb.NetMode_NONE:  network.NewNoneProvider(),
		pb.NetMode_HOST:  network.NewHostProvider(),
	}
}
