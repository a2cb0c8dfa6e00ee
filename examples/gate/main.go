// Command gate is the part of plimsoll that stands on the machines that start containers: the wrapper of docker run, the
// agent, the plugins. It is the same commands in a program that is small, so it starts fast.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/nodecmd"
	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use:           "gate",
		Short:         "Start what may start: the start checks of a machine",
		Long:          "Start what may start: the start checks of a machine.\n\nExit codes: 0 all is well, 1 it is denied, 2 it could not work.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().Bool("json", false, "write one JSON document to standard output")
	root.AddCommand(nodecmd.Commands()...)
	err := root.ExecuteContext(ctx)
	exit, silent := errors.AsType[nodecmd.ExitError](err)
	_, found := errors.AsType[*finding.GateError](err)
	switch {
	case err == nil:
		return 0
	case silent:
		return int(exit)
	}
	fmt.Fprintln(os.Stderr, "gate:", err)
	if found || errors.Is(err, admission.ErrDenied) {
		return 1
	}
	return 2
}
