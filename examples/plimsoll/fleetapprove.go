package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/approval"
)

func (f *fleetCommand) approve() *cobra.Command {
	var sign signing
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "approve REMEDY.yaml --by NAME --key KEY",
		Short: "Approve of another person's remedy, signed, for a time",
		Long: `Approve of another person's remedy: a signed word for this very file and its digest, written to standard output. NAME
is what the list of the approvers' keys calls this key.`,
		Example: "  plimsoll fleet approve remedy.yaml --by bob@example.com --key bob.key > bob.approval\n" +
			"  plimsoll fleet run remedy.yaml --approval bob.approval --approvers keys.yaml",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			remedy, err := readRemedy(args[0])
			if err != nil {
				return err
			}
			key, err := sign.load(cmd)
			if err != nil {
				return err
			}
			now := time.Now().UTC()
			signed, err := approval.Sign(cmd.Context(), key, fleet.Approval{Remedy: remedy.Digest(), By: f.by, At: now, Until: now.Add(lasts)})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s, for %s\n", console.Clean(remedy.Name), remedy.Digest(), lasts)
			_, err = io.WriteString(cmd.OutOrStdout(), string(signed)+"\n")
			return err
		},
	}
	sign.flags(cmd)
	cmd.Flags().StringVar(&f.by, "by", "", "who approves")
	cmd.Flags().DurationVar(&lasts, "for", 24*time.Hour, "how long the approval holds")
	return cmd
}

func readRemedy(path string) (fleet.Remedy, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return fleet.Remedy{}, err
	}
	return fleet.Parse(path, text)
}

// approvals reads signed approvals. One that does not hold is an error: whoever gave it thinks that it counts.
func approvals(ctx context.Context, files []string, approvers string) ([]fleet.Approval, error) {
	if len(files) == 0 {
		return nil, nil
	}
	if approvers == "" {
		return nil, errors.New("--approvers names the keys of those who may approve")
	}
	trusted, err := loadKeys(approvers)
	if err != nil {
		return nil, err
	}
	var all []fleet.Approval
	for _, file := range files {
		signed, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		a, err := approval.Verify(ctx, trusted, signed, time.Now())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, a)
	}
	return all, nil
}
