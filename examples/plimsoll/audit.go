package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

func newAudit(out *output) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Verify and read audit logs"}
	cmd.AddCommand(newAuditVerify(out), newAuditShow(out))
	return cmd
}

func newAuditVerify(out *output) *cobra.Command {
	var kept []string
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Find lines of an audit log that were changed, removed or moved",
		Long: `Find lines of an audit log that were changed, removed or moved, and name them.

Whoever can write to the directory can also write the whole log anew, or cut its end off: only a checkpoint that was
kept elsewhere (--checkpoint, a JSON file) shows that.`,
		Example: `  plimsoll audit verify /var/lib/plimsoll/audit
  plimsoll audit verify --checkpoint monday.json --checkpoint tuesday.json /var/lib/plimsoll/audit`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var opts audit.VerifyOptions
			for _, path := range kept {
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				var c audit.Checkpoint
				if err := json.Unmarshal(text, &c); err != nil {
					return fmt.Errorf("%s is no checkpoint: %w", path, err)
				}
				opts.Checkpoints = append(opts.Checkpoints, c)
			}
			v, err := audit.Verify(os.DirFS(args[0]), opts)
			if err != nil {
				return fmt.Errorf("the audit log in %s: %w", args[0], err)
			}
			if v.Lines == 0 && len(v.Findings) == 0 {
				return fmt.Errorf("%s has no audit log", args[0])
			}
			err = out.answer(cmd, v, func(w io.Writer, style console.Style) error { return printVerified(w, style, v) })
			if err != nil {
				return err
			}
			return finding.Gate(v.Findings, finding.Error)
		},
	}
	cmd.Flags().StringArrayVar(&kept, "checkpoint", nil, "file with a checkpoint that was kept elsewhere; may be repeated")
	return cmd
}

func printVerified(w io.Writer, style console.Style, v *audit.Verified) error {
	for _, f := range v.Findings {
		if _, err := fmt.Fprintln(w, console.Clean(f.String())); err != nil {
			return err
		}
	}
	if err := finding.Gate(v.Findings, finding.Error); err != nil {
		return nil //nolint:nilerr // the caller ends with the findings; what is said here is that there are none
	}
	_, err := fmt.Fprintf(w, "%s: %d lines, the last is %s\n", style.Good("whole"), v.Lines, v.Last.Hash)
	return err
}

func newAuditShow(out *output) *cobra.Command {
	var from uint64
	cmd := &cobra.Command{
		Use:     "show DIR",
		Short:   "Print the entries of an audit log",
		Example: `  plimsoll audit show --from 1200 /var/lib/plimsoll/audit`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w := cmd.OutOrStdout()
			for e, err := range audit.Read(os.DirFS(args[0]), from) {
				switch {
				case err != nil:
					return fmt.Errorf("the audit log in %s: %w", args[0], err)
				case out.json:
					err = json.NewEncoder(w).Encode(e)
				default:
					_, err = fmt.Fprintf(w, "%d %s %s %s %s %s\n", e.Seq, e.Time.Format(time.RFC3339), e.Outcome,
						console.Clean(e.Actor), e.Action, console.Clean(e.Object))
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 1, "number of the first line to print")
	return cmd
}
