// Command ban is a rehearsal of what Ops does at 3 a.m., on one machine:
//
//	go run ./examples/ban
//
// It builds images on one base into a registry on loopback, starts containers of some of them where Docker answers, bans
// the base, and shows what comes of it until all is safe: the preview, the deny bundle and the first start that is refused,
// the storm, the containers that are replaced, and the report, which is a page.
//
// Everything is real: definitions from git, builds by the embedded BuildKit, signed provenance, a signed bundle. Only the
// bases are made on the spot, and whoever deploys is played: a container is started anew once its image was replaced.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
)

type options struct {
	images, containers int
	state, report      string
	quiet, json        bool
	noDocker           bool
}

func main() {
	log.SetOutput(io.Discard) // libraries that log there have nothing to say to a user
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := newCommand()
	if err := cmd.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, console.StyleFor(os.Stderr).Bad("ban:"), console.Clean(err.Error()))
		os.Exit(console.ExitCode(err)) //nolint:gocritic // the deferred stop has nothing left to do
	}
}

func newCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "ban",
		Short: "Rehearse a ban on one machine: from the preview until all is safe",
		Example: `  go run ./examples/ban
  go run ./examples/ban --images 100 --containers 50 --report ban.html
  go run ./examples/ban --no-docker --json > campaign.json`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.images < 1 || o.containers < 0 {
				return errors.New("--images is at least 1, --containers at least 0")
			}
			return rehearse(cmd, o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.images, "images", 30, "how many images to build on the base")
	f.IntVar(&o.containers, "containers", 20, "how many containers to run where Docker answers")
	f.BoolVar(&o.noDocker, "no-docker", false, "run no containers, even if Docker answers")
	f.StringVar(&o.state, "state", "", "directory for caches (default: ban in the user's cache directory)")
	f.StringVar(&o.report, "report", "", "write the report there (default: report.html below --state)")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "show no progress")
	f.BoolVar(&o.json, "json", false, "write the campaign as one JSON document to standard output")
	return cmd
}
