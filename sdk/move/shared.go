package move

import (
	"context"
	"errors"
	"sync"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// sharedRegistry asks a registry each question once, for all who ask. Answers are kept for as long as it lives. Errors are
// not: the next one asks again.
type sharedRegistry struct {
	registry Registry
	digests  memo[string]
	tags     memo[[]string]
	configs  memo[catalog.ImageConfig]
}

// share keeps what else a registry can answer: only what it has itself the result has too.
func share(r Registry) Registry {
	s := &sharedRegistry{registry: r}
	packages, hasPackages := r.(catalog.PackageFacts)
	signatures, hasSignatures := r.(catalog.SignatureFacts)
	switch {
	case hasPackages && hasSignatures:
		return struct {
			*sharedRegistry
			catalog.PackageFacts
			catalog.SignatureFacts
		}{s, packages, signatures}
	case hasPackages:
		return struct {
			*sharedRegistry
			catalog.PackageFacts
		}{s, packages}
	case hasSignatures:
		return struct {
			*sharedRegistry
			catalog.SignatureFacts
		}{s, signatures}
	}
	return s
}

// Resolve is the registry's.
func (s *sharedRegistry) Resolve(ctx context.Context, ref string) (string, error) {
	return s.digests.get(ctx, ref, func() (string, error) { return s.registry.Resolve(ctx, ref) })
}

// Tags is the registry's.
func (s *sharedRegistry) Tags(ctx context.Context, repository string) ([]string, error) {
	return s.tags.get(ctx, repository, func() ([]string, error) { return s.registry.Tags(ctx, repository) })
}

// Config is the registry's.
func (s *sharedRegistry) Config(ctx context.Context, ref, platform string) (catalog.ImageConfig, error) {
	return s.configs.get(ctx, ref+" "+platform, func() (catalog.ImageConfig, error) { return s.registry.Config(ctx, ref, platform) })
}

// memo remembers answers by key and asks for each one at a time. Its zero value is ready.
type memo[T any] struct {
	mu    sync.Mutex
	cells map[string]*cell[T]
}

type cell[T any] struct {
	busy  chan struct{} // has one element while somebody asks
	known bool
	value T
	// failed is the last answer's error, for those who waited for it.
	failed error
	tries  int
}

func (m *memo[T]) get(ctx context.Context, key string, ask func() (T, error)) (T, error) {
	m.mu.Lock()
	if m.cells == nil {
		m.cells = map[string]*cell[T]{}
	}
	c := m.cells[key]
	if c == nil {
		c = &cell[T]{busy: make(chan struct{}, 1)}
		m.cells[key] = c
	}
	tries := c.tries
	m.mu.Unlock()
	select {
	case c.busy <- struct{}{}:
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
	defer func() { <-c.busy }()
	m.mu.Lock()
	known, value, failed, tried := c.known, c.value, c.failed, c.tries != tries
	m.mu.Unlock()
	switch {
	case known:
		return value, nil
	case tried && !errors.Is(failed, context.Canceled) && !errors.Is(failed, context.DeadlineExceeded):
		return value, failed // asked while we waited: a dead registry is not asked by each in turn
	}
	value, err := ask()
	m.mu.Lock()
	c.known, c.value, c.failed = err == nil, value, err
	c.tries++
	m.mu.Unlock()
	return value, err
}
