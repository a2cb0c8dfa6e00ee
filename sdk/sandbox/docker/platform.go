package docker

import (
	"context"
	"fmt"

	"github.com/containerd/platforms"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker/internal/probe"
)

// CanRun returns nil for the daemon's own platform, those that its machine runs as well, and those that the kernel of a
// daemon on this machine emulates (binfmt_misc). What a daemon elsewhere emulates cannot be known.
func (r *Runtime) CanRun(_ context.Context, platform string) error {
	want, err := platforms.Parse(platform)
	if err != nil {
		return fmt.Errorf("platform %q: %w", platform, err)
	}
	has, err := platforms.Parse(r.info.OSType + "/" + r.info.Architecture)
	if err != nil {
		return fmt.Errorf("the daemon's platform: %w", err)
	}
	if platforms.Only(has).Match(want) {
		return nil
	}
	if want.OS == "linux" && r.sameMachine() && probe.Emulates(want.Architecture) {
		return nil
	}
	return fmt.Errorf("%w: images for %s do not run in a daemon for %s: register an emulator with binfmt_misc (with flag F) on its machine, or use a daemon on a machine that runs them",
		sandbox.ErrUnsupported, platforms.Format(want), platforms.Format(has))
}
