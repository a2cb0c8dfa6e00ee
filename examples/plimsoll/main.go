// Command plimsoll is the command for operators and QA: thin subcommands over the SDK, no logic of its own.
//
// It exits with 0 when all is well, 1 when findings stop at the gate, 2 when it could not work.
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
	"github.com/plimsoll-dev/plimsoll/internal/nodecmd"
	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	defsource "github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

func main() {
	log.SetOutput(io.Discard)      // libraries that log there have nothing to say to a user
	signal.Ignore(syscall.SIGPIPE) // a reader that went away is an error like any other: clean up, then end
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
	if exit, silent := errors.AsType[nodecmd.ExitError](err); silent {
		return int(exit)
	}
	text := console.Clean(err.Error())
	if _, dirty := errors.AsType[*defsource.DirtyError](err); dirty {
		text += " (with --dirty)"
	}
	fmt.Fprintln(root.ErrOrStderr(), console.StyleFor(root.ErrOrStderr()).Bad("plimsoll:"), text)
	if _, incomplete := errors.AsType[*incompleteError](err); incomplete {
		return 1
	}
	if _, answer := errors.AsType[answerError](err); answer {
		return 1
	}
	if errors.Is(err, attest.ErrDenied) || errors.Is(err, admission.ErrDenied) {
		return 1
	}
	return console.ExitCode(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "plimsoll",
		Short: "Check, build and test container definitions as Ops wants it",
		Long: `Check, build and test container definitions as Ops wants it.

Exit codes: 0 all is well, 1 findings stop at the gate, 2 it could not work.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	out := &output{}
	out.flags(root)
	root.AddCommand(newInputs(out), newLint(out), newCatalog(out), newBuild(out), newLineage(out), newTest(out), newSteps(out), newConvert(), newAudit(out),
		newVerify(out), newAttest(out), newKey(out), newSBOM(out), newMove(out), newNotify(out), newBan(out))
	root.AddCommand(newBundle(out), newFleet(out))
	root.AddCommand(nodecmd.Commands()...)
	root.AddCommand(newRequestBuild(out), newRebuild(out))
	return root
}

// output is how answers are written.
type output struct {
	json, quiet bool
}

func (o *output) flags(cmd *cobra.Command) {
	cmd.PersistentFlags().BoolVar(&o.json, "json", false, "write one JSON document to standard output")
	cmd.PersistentFlags().BoolVarP(&o.quiet, "quiet", "q", false, "show no progress")
}

// progress shows progress on the error stream, where it can't get in the way of an answer.
func (o *output) progress(cmd *cobra.Command) *console.Progress {
	return console.NewProgress(cmd.ErrOrStderr(), o.quiet)
}

// answer writes a value as JSON, or lets text write it for people.
func (o *output) answer(cmd *cobra.Command, value any, text func(io.Writer, console.Style) error) error {
	if o.json {
		return console.JSON(cmd.OutOrStdout(), value)
	}
	return text(cmd.OutOrStdout(), console.StyleFor(cmd.OutOrStdout()))
}
