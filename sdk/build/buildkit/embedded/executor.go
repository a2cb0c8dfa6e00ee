//go:build linux

package embedded

import (
	"context"

	"github.com/moby/buildkit/executor"
	"github.com/moby/buildkit/executor/resources"
	"github.com/moby/buildkit/executor/runcexecutor"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/network"

	own "github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/internal/executor"
)

// newExecutor returns what runs steps: runc, or Plimsoll's own executor if there is none, which is an io.Closer.
func newExecutor(ctx context.Context, dir, runc string) (executor.Executor, error) {
	if runc == "" {
		return own.New(ctx, own.Options{Root: dir, NoNetwork: true})
	}
	monitor, err := resources.NewMonitor()
	if err != nil {
		return nil, err
	}
	// A monitor that is closed measures nothing, and a step is cleaned up before it is over, not at some time after.
	if err := monitor.Close(); err != nil {
		return nil, err
	}
	return runcexecutor.New(runcexecutor.Opt{Root: dir, CommandCandidates: []string{runc}, ResourceMonitor: monitor}, networks())
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
