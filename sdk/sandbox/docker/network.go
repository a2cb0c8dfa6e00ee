package docker

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// network is a private network: a bridge that leads nowhere. It lives as long as it has members.
type network struct {
	name    string
	id      string
	members map[string]bool // host names
	turn    chan struct{}   // holds a token while nobody makes or removes it
}

// join makes a host name of a network ours, and the network if this is its first member.
func (r *Runtime) join(ctx context.Context, name, host string) (*network, error) {
	if r.podman {
		return nil, fmt.Errorf("network %q: %w: networks of Podman that lead nowhere have no names: use Docker Engine or the embedded sandbox", name, sandbox.ErrUnsupported)
	}
	r.mu.Lock()
	n := r.networks[name]
	if n == nil {
		n = &network{name: name, members: map[string]bool{}, turn: make(chan struct{}, 1)}
		n.turn <- struct{}{}
		r.networks[name] = n
	}
	if n.members[host] {
		r.mu.Unlock()
		return nil, fmt.Errorf("network %q already has an instance named %q", name, host)
	}
	n.members[host] = true
	r.mu.Unlock()
	if err := n.lock(ctx); err != nil {
		r.forget(n, host)
		return nil, err
	}
	defer n.unlock()
	if n.id != "" {
		return n, nil
	}
	off := false
	result, err := r.client.NetworkCreate(ctx, "plimsoll-"+strings.ToLower(rand.Text()[:12]), client.NetworkCreateOptions{
		Driver: "bridge", Internal: true, EnableIPv6: &off,
		// Without an address of the host in it, because that one leads to all that listens there.
		Options: map[string]string{
			"com.docker.network.bridge.inhibit_ipv4":      "true",
			"com.docker.network.bridge.gateway_mode_ipv4": "isolated",
		},
		Labels: map[string]string{ownerLabel: r.owner.mark(lease)},
	})
	if err != nil {
		r.forget(n, host)
		return nil, fmt.Errorf("make network %q: %w", name, err)
	}
	n.id = result.ID
	return n, nil
}

// leave gives a host name back; the last member takes the network with it.
func (r *Runtime) leave(ctx context.Context, n *network, host string) error {
	if err := n.lock(ctx); err != nil {
		return err
	}
	defer n.unlock()
	if !r.forget(n, host) || n.id == "" {
		return nil
	}
	if _, err := r.client.NetworkRemove(ctx, n.id, client.NetworkRemoveOptions{}); err != nil {
		return fmt.Errorf("remove network %q: %w", n.name, err)
	}
	return nil
}

// forget returns whether the host was the last member; the network is then no longer found by join.
func (r *Runtime) forget(n *network, host string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(n.members, host)
	if len(n.members) > 0 {
		return false
	}
	if r.networks[n.name] == n {
		delete(r.networks, n.name)
	}
	return true
}

func (n *network) lock(ctx context.Context) error {
	select {
	case <-n.turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (n *network) unlock() { n.turn <- struct{}{} }
