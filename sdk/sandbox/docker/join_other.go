//go:build !linux

package docker

import (
	"context"

	"github.com/moby/moby/api/types/container"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// joiner is for Linux only.
type joiner struct{}

func (joiner) close() error { return nil }

// guest is, too.
type guest struct{}

func (guest) rest() {}
func (guest) end()  {}

func (*Instance) execHere(context.Context, sandbox.Command) (sandbox.Output, error) {
	return sandbox.Output{}, errByDaemon
}

func ulimits() []*container.Ulimit { return nil }
