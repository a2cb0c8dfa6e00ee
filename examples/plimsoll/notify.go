package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/notify/outbox"
)

// telling are the flags that say who is told of what.
type telling struct {
	config, secrets string
}

func (t *telling) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.config, "notify", "", "tell teams as this configuration says (see: plimsoll notify schema)")
	cmd.Flags().StringVar(&t.secrets, "secrets", "", "directory with the secrets that the configuration names, a file for each")
}

// open opens the outbox; nil without a configuration.
func (t *telling) open(cmd *cobra.Command, state string) (*outbox.Outbox, error) {
	if t.config == "" {
		return nil, nil
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	return homes.OpenOutbox(cmd.Context(), t.config, t.secrets, state, log)
}

// sendWaiting sends what waits, for a limited time, and says what could not be sent.
func sendWaiting(cmd *cobra.Command, box *outbox.Outbox, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), limit)
	defer cancel()
	if err := box.Drain(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	status, err := box.Status(cmd.Context())
	if err != nil {
		return err
	}
	for _, s := range status {
		if s.Waiting > 0 || s.Dead > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "channel %s: %d messages wait, %d were given up%s; see: plimsoll notify status\n",
				s.Channel, s.Waiting, s.Dead, because(s.Error))
		}
	}
	return nil
}

func because(err string) string {
	if err == "" {
		return ""
	}
	return " (" + console.Clean(err) + ")"
}

func newNotify(out *output) *cobra.Command {
	var t telling
	var state string
	cmd := &cobra.Command{Use: "notify", Short: "Look after the messages to teams"}
	open := func(cmd *cobra.Command) (*outbox.Outbox, error) {
		dir, err := homes.StateDir(state, "plimsoll")
		if err != nil {
			return nil, err
		}
		if t.config == "" {
			return nil, errors.New("name the configuration with --notify")
		}
		return t.open(cmd, dir)
	}
	with := func(use, short, example string, args cobra.PositionalArgs, do func(*cobra.Command, *outbox.Outbox, []string) error) *cobra.Command {
		sub := &cobra.Command{Use: use, Short: short, Example: example, Args: args, RunE: func(cmd *cobra.Command, args []string) (err error) {
			box, err := open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, box.Close()) }()
			return do(cmd, box, args)
		}}
		t.flags(sub)
		sub.Flags().StringVar(&state, "state", "", "directory with the outbox (default: plimsoll in the user's cache directory)")
		return sub
	}
	cmd.AddCommand(
		with("status", "Say what was sent, what waits and what was given up", "  plimsoll notify status --notify notify.yaml", cobra.NoArgs,
			func(cmd *cobra.Command, box *outbox.Outbox, _ []string) error { return showStatus(cmd, out, box) }),
		with("retry [CHANNEL]", "Send again what was given up", "  plimsoll notify retry pay-chat --notify notify.yaml", cobra.MaximumNArgs(1),
			func(cmd *cobra.Command, box *outbox.Outbox, args []string) error {
				channel := ""
				if len(args) > 0 {
					channel = args[0]
				}
				n, err := box.Revive(cmd.Context(), channel)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d messages are sent again\n", n)
				return sendWaiting(cmd, box, time.Minute)
			}),
		with("run", "Send what waits, until it is stopped", "  plimsoll notify run --notify notify.yaml --secrets secrets", cobra.NoArgs,
			func(cmd *cobra.Command, box *outbox.Outbox, _ []string) error {
				if err := box.Run(cmd.Context()); !errors.Is(err, context.Canceled) {
					return err
				}
				return nil
			}),
		&cobra.Command{
			Use: "schema", Short: "Print the JSON Schema of the configuration, for editors", Args: cobra.NoArgs,
			Example: "  plimsoll notify schema > notify.schema.json",
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := io.WriteString(cmd.OutOrStdout(), notify.Schema())
				return err
			},
		})
	return cmd
}

func showStatus(cmd *cobra.Command, out *output, box *outbox.Outbox) error {
	status, err := box.Status(cmd.Context())
	if err != nil {
		return err
	}
	dead, err := box.DeadLetters(cmd.Context())
	if err != nil {
		return err
	}
	return out.answer(cmd, map[string]any{"channels": status, "dead": dead}, func(w io.Writer, style console.Style) error {
		for _, s := range status {
			fmt.Fprintf(w, "%s: %d sent, %d wait, %d given up%s\n", s.Channel, s.Sent, s.Waiting, s.Dead, because(s.Error))
		}
		for _, l := range dead {
			fmt.Fprintf(w, "%s %s for %s: %s\n", style.Bad("given up"), l.Channel, console.Clean(l.Title), console.Clean(l.Error))
		}
		return nil
	})
}
