package embedded

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/plimsoll-dev/plimsoll/internal/container"
)

// startEngine starts an engine in this process or, where that lacks the rights, in a child.
func startEngine(ctx context.Context, opt Options) (engine, error) {
	state, err := filepath.Abs(opt.State)
	if err != nil {
		return nil, err
	}
	place, err := claim(state)
	if err != nil {
		return nil, err
	}
	start := startServer
	if container.NeedsUserNamespace() {
		start = startChild
	}
	engine, err := start(ctx, place, opt)
	if err != nil {
		return nil, errors.Join(err, place.release())
	}
	return engine, nil
}
