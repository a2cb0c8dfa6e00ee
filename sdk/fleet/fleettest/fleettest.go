// Package fleettest is a place without containers, for tests of what works with package fleet.
package fleettest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
)

// Place is a place in memory. It is safe for concurrent use.
type Place struct {
	name string

	// Command runs what an action asks for; nil says that everything succeeds. It may be called concurrently.
	Command func(ctx context.Context, i fleet.Instance, a fleet.Action) (fleet.Output, error)

	mu        sync.Mutex
	instances []fleet.Instance
	down      error
	held      map[string]string
	did       []string
	followers map[int]func(fleet.Change)
	next      int
}

// New makes a place.
func New(name string, instances ...fleet.Instance) *Place {
	p := &Place{name: name, held: map[string]string{}, followers: map[int]func(fleet.Change){}}
	for _, i := range instances {
		p.Start(i)
	}
	return p
}

// Start adds an instance, or replaces it.
func (p *Place) Start(i fleet.Instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i.Place = p.name; i.Host == "" {
		i.Host = p.name
	}
	p.instances = slices.DeleteFunc(p.instances, func(o fleet.Instance) bool { return o.ID == i.ID })
	p.instances = append(p.instances, i)
	for _, f := range p.followers {
		f(fleet.Change{Instance: i})
	}
}

// End removes an instance.
func (p *Place) End(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.instances = slices.DeleteFunc(p.instances, func(o fleet.Instance) bool { return o.ID == id })
	for _, f := range p.followers {
		f(fleet.Change{Ended: true, Instance: fleet.Instance{Place: p.name, ID: id}})
	}
}

// Down makes the place answer nothing but an error; nil brings it back.
func (p *Place) Down(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = err
}

// Hold makes an instance another run's.
func (p *Place) Hold(id, by string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[id] = by
}

// Did returns what was done, "name: strategy arguments", in its order.
func (p *Place) Did() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.did)
}

// Name implements [fleet.Place].
func (p *Place) Name() string { return p.name }

// List implements [fleet.Place].
func (p *Place) List(context.Context) ([]fleet.Instance, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.instances), p.down
}

// Follow implements [fleet.Place].
func (p *Place) Follow(ctx context.Context, listed func([]fleet.Instance), changed func(fleet.Change)) error {
	p.mu.Lock()
	if p.down != nil {
		defer p.mu.Unlock()
		return p.down
	}
	listed(slices.Clone(p.instances))
	p.next++
	me := p.next
	p.followers[me] = changed
	p.mu.Unlock()
	<-ctx.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.followers, me)
	return ctx.Err()
}

// Check implements [fleet.Place].
func (p *Place) Check(_ context.Context, i fleet.Instance) (fleet.Instance, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down != nil {
		return i, p.down
	}
	for _, o := range p.instances {
		if o.ID == i.ID {
			return o, nil
		}
	}
	return i, fmt.Errorf("%w: it has ended", fleet.ErrGone)
}

// Do implements [fleet.Place].
func (p *Place) Do(ctx context.Context, i fleet.Instance, a fleet.Action) (fleet.Output, error) {
	if _, err := p.Check(ctx, i); err != nil {
		return fleet.Output{}, err
	}
	p.mu.Lock()
	p.did = append(p.did, strings.TrimSpace(fmt.Sprintf("%s: %s %s", i.Name, a.Strategy, strings.Join(a.Command.Args, " "))))
	p.mu.Unlock()
	if p.Command == nil {
		return fleet.Output{}, nil
	}
	return p.Command(ctx, i, a)
}

// Claim implements [fleet.Claimer].
func (p *Place) Claim(_ context.Context, c fleet.Claim) (map[string]string, func(context.Context) error, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := map[string]string{}
	for _, id := range c.IDs {
		if by, ok := p.held[id]; ok {
			held[id] = by
		}
	}
	return held, func(context.Context) error { return nil }, nil
}
