package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/stepdoc"
)

func newSteps(out *output) *cobra.Command {
	return &cobra.Command{
		Use:   "steps [WORD...]",
		Short: "Look up the steps that features can use",
		Example: `  plimsoll test steps
  plimsoll test steps port listens`,
		RunE: func(cmd *cobra.Command, args []string) error {
			found := stepdoc.Search(blackbox.Steps(), args...)
			var rows []stepRow
			for _, s := range found {
				rows = append(rows, stepRow{s.Group, s.Expression, s.Doc, s.Example})
			}
			return out.answer(cmd, rows, func(w io.Writer, style console.Style) error {
				for _, r := range rows {
					if _, err := fmt.Fprintf(w, "%s\n    %s\n", style.Bold(r.Expression), r.Doc); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

// stepRow is a step as --json lists it.
type stepRow struct {
	Group      string `json:"group"`
	Expression string `json:"expression"`
	Doc        string `json:"doc"`
	Example    string `json:"example"`
}
