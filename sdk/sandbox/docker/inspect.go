package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// Dial connects to a port that the instance listens on, from inside its network namespace: on loopback, and then at the
// address that it has in its network.
func (i *Instance) Dial(ctx context.Context, network string, port int) (net.Conn, error) {
	if network != "tcp" && network != "udp" {
		return nil, fmt.Errorf("instance %s: network %q is not tcp or udp", i.ID(), network)
	}
	if port < 1 || port > 65535 {
		return nil, fmt.Errorf("instance %s: port %d is not between 1 and 65535", i.ID(), port)
	}
	what := fmt.Sprintf("dial %s port %d", network, port)
	p, err := i.enter(ctx)
	if err != nil {
		return nil, i.explain(what, err)
	}
	defer p.Close()
	conn, err := p.Dial(ctx, network, port)
	return conn, i.explain(what, err)
}

// Processes lists the instance's processes by the ids that they have in it, the main process first.
func (i *Instance) Processes(ctx context.Context) ([]sandbox.Process, error) {
	p, err := i.enter(ctx)
	if err != nil {
		return nil, i.explain("list its processes", err)
	}
	defer p.Close()
	list, err := p.Processes(ctx)
	return list, i.explain("list its processes", err)
}

// Listening lists the sockets that processes of the instance listen on.
func (i *Instance) Listening(ctx context.Context) ([]sandbox.Socket, error) {
	p, err := i.enter(ctx)
	if err != nil {
		return nil, i.explain("list its sockets", err)
	}
	defer p.Close()
	list, err := p.Listening(ctx)
	return list, i.explain("list its sockets", err)
}

// ReadFile reads a regular file as the instance sees it, up to Limits.Output bytes.
func (i *Instance) ReadFile(ctx context.Context, path string) ([]byte, error) {
	p, err := i.enter(ctx)
	if err != nil {
		return nil, i.explain("read "+path, err)
	}
	defer p.Close()
	data, err := p.ReadFile(ctx, path, i.spec.Limits.Output)
	return data, i.explain("read "+path, err)
}

// Usage measures what the instance uses at present.
func (i *Instance) Usage(ctx context.Context) (sandbox.Usage, error) {
	select {
	case <-i.current().done:
		return sandbox.Usage{}, i.explain("measure it", os.ErrProcessDone)
	default:
	}
	i.current().guest.rest()
	stats, err := i.runtime.client.ContainerStats(ctx, i.container.ID, client.ContainerStatsOptions{})
	if err != nil {
		return sandbox.Usage{}, i.explain("measure it", err)
	}
	defer stats.Body.Close()
	var s container.StatsResponse
	if err := json.NewDecoder(stats.Body).Decode(&s); err != nil {
		return sandbox.Usage{}, i.explain("measure it", err)
	}
	memory := int64(s.MemoryStats.Usage) //nolint:gosec // no machine has that much
	for _, key := range []string{"active_file", "inactive_file"} {
		cache, ok := s.MemoryStats.Stats["total_"+key] // cgroup v1
		if !ok {
			cache = s.MemoryStats.Stats[key]
		}
		memory -= int64(cache) //nolint:gosec // as above
	}
	return sandbox.Usage{
		Memory: max(memory, 0),
		PIDs:   int(s.PidsStats.Current),                      //nolint:gosec // there are at most 4 million
		CPU:    time.Duration(s.CPUStats.CPUUsage.TotalUsage), //nolint:gosec // nanoseconds of 292 years
	}, nil
}
