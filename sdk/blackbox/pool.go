package blackbox

import (
	"context"
	"errors"
	"sync"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// maxIdle is how many shared instances stay running while no scenario uses them.
const maxIdle = 4

// pool shares instances between scenarios that only look at them.
type pool struct {
	ctx     context.Context //nolint:containedctx // an instance outlives the scenario that asked for it first
	runtime sandbox.Runtime

	mu     sync.Mutex
	shared map[string]*sharedInstance
	idle   []*sharedInstance // least recently used first
	errs   []error           // of closing
}

type sharedInstance struct {
	key      string
	users    int
	ready    chan struct{} // closed when instance and err are set
	instance sandbox.Instance
	err      error
}

func newPool(ctx context.Context, runtime sandbox.Runtime) *pool {
	return &pool{ctx: ctx, runtime: runtime, shared: map[string]*sharedInstance{}}
}

// acquire returns the instance of that key, and starts it when there is none. The caller calls release when done.
func (p *pool) acquire(ctx context.Context, key string, spec sandbox.Spec) (sandbox.Instance, func(context.Context) error, error) {
	if p.runtime == nil {
		return nil, nil, errNoRuntime
	}
	s := p.get(key, spec)
	select {
	case <-s.ready:
	case <-ctx.Done():
		p.release(s)
		return nil, nil, context.Cause(ctx)
	}
	if s.err != nil {
		p.release(s)
		return nil, nil, s.err
	}
	return s.instance, func(context.Context) error { p.release(s); return nil }, nil
}

func (p *pool) get(key string, spec sandbox.Spec) *sharedInstance {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.shared[key]
	if s == nil {
		s = &sharedInstance{key: key, ready: make(chan struct{})}
		p.shared[key] = s
		go func() {
			defer close(s.ready)
			if s.instance, s.err = p.runtime.Start(p.ctx, spec); s.err != nil {
				p.forget(s)
			}
		}()
	}
	s.users++
	for i, idle := range p.idle {
		if idle == s {
			p.idle = append(p.idle[:i:i], p.idle[i+1:]...)
			break
		}
	}
	return s
}

// forget lets the next scenario try again.
func (p *pool) forget(s *sharedInstance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.shared, s.key)
}

// release gives back an instance. The longest unused ones are closed when too many idle.
func (p *pool) release(s *sharedInstance) {
	p.mu.Lock()
	var over []*sharedInstance
	if s.users--; s.users == 0 && p.shared[s.key] == s {
		p.idle = append(p.idle, s)
	}
	for len(p.idle) > maxIdle {
		over = append(over, p.idle[0])
		delete(p.shared, p.idle[0].key)
		p.idle = p.idle[1:]
	}
	p.mu.Unlock()
	p.closeAll(over)
}

// close closes everything. No scenario may run any more. It returns what could not be closed.
func (p *pool) close() error {
	p.mu.Lock()
	var all []*sharedInstance
	for _, s := range p.shared {
		all = append(all, s)
	}
	p.shared, p.idle = map[string]*sharedInstance{}, nil
	p.mu.Unlock()
	p.closeAll(all)
	return errors.Join(p.errs...)
}

func (p *pool) closeAll(all []*sharedInstance) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), cleanUpTime)
	defer cancel()
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(func() {
			<-s.ready
			if s.err != nil {
				return
			}
			if err := s.instance.Close(ctx); err != nil {
				p.mu.Lock()
				p.errs = append(p.errs, err)
				p.mu.Unlock()
			}
		})
	}
	wg.Wait()
}
