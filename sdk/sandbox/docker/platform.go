package docker

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/platforms"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
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
	if want.OS == "linux" && r.remote() == nil && emulates(want.Architecture) {
		return nil
	}
	return fmt.Errorf("%w: images for %s do not run in a daemon for %s: register an emulator with binfmt_misc (with flag F) on its machine, or use a daemon on a machine that runs them",
		sandbox.ErrUnsupported, platforms.Format(want), platforms.Format(has))
}

// remote returns why the daemon's processes are not among this machine's, and nil when they may be.
func (r *Runtime) remote() error {
	if !strings.HasPrefix(r.options.Host, "unix://") {
		return fmt.Errorf("%w: the daemon at %s is not on this machine: run the test where the daemon is", sandbox.ErrUnsupported, r.options.Host)
	}
	return nil
}
