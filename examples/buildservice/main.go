// Command buildservice is the service in which images are built where Ops is in charge: an HTTP API for CI systems, pages
// for people, a durable queue. One YAML file configures it.
//
// It exits with 0 when it was stopped, 1 when a check found something, 2 when it could not work.
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
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
)

func main() {
	log.SetOutput(io.Discard) // libraries that log there have nothing to say
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(root.ErrOrStderr(), console.StyleFor(root.ErrOrStderr()).Bad("buildservice:"), console.Clean(err.Error()))
	if _, ok := errors.AsType[*configError](err); ok {
		return 1
	}
	return console.ExitCode(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "buildservice",
		Short: "Build images where Ops is in charge",
		Long: `Build images where Ops is in charge: CI systems name a repository and a commit, the service checks, builds, tests and
publishes, and it alone holds the credentials for that.

Exit codes: 0 all is well, 1 the configuration is wrong, 2 it could not work.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(newServe(), newCheck(), newToken(), newSweep(), newSchema())
	return root
}

func newServe() *cobra.Command {
	return &cobra.Command{
		Use:     "serve CONFIG",
		Short:   "Run the service until it gets SIGTERM or SIGINT",
		Example: "  buildservice serve /etc/plimsoll/buildservice.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(args[0])
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, cmd.ErrOrStderr())
		},
	}
}

func newCheck() *cobra.Command {
	return &cobra.Command{
		Use:     "check CONFIG",
		Short:   "Check a configuration, with the places of all that is wrong",
		Example: "  buildservice check /etc/plimsoll/buildservice.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: a configuration with %d projects\n", args[0], len(cfg.Projects))
			return err
		},
	}
}

func newToken() *cobra.Command {
	return &cobra.Command{
		Use:   "token",
		Short: "Make a static token, and the hash of it for the configuration",
		Long: `Make a static token, and the hash of it for the configuration (callers.tokens).

The token is shown once and kept nowhere.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, hash := callers.NewToken()
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "token %s\nhash  %s\n", token, hash)
			return err
		},
	}
}

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration, for editors",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), schema)
			return err
		},
	}
}
