package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/stepdoc"
)

func newSteps(out *output) *cobra.Command {
	var editor, examples bool
	cmd := &cobra.Command{
		Use:   "steps [WORD...]",
		Short: "Look up the steps that features can use",
		Long: `Look up the steps that features can use: those that have all of the words, in any order.

With --editor it writes the file from which editors with the Cucumber language server complete and check steps. Name it in
their settings, for example in Visual Studio Code's settings.json:

  "cucumber.features": ["features/**/*.feature"],
  "cucumber.glue": ["features/steps.js"]`,
		Example: `  plimsoll steps
  plimsoll steps --examples port listens
  plimsoll steps --editor > features/steps.js`,
		RunE: func(cmd *cobra.Command, args []string) error {
			found := stepdoc.Search(blackbox.Steps(), args...)
			if editor {
				_, err := cmd.OutOrStdout().Write(stepdoc.Glue(found))
				return err
			}
			if len(found) == 0 {
				return fmt.Errorf("no step has all of the words %q: try fewer, or the beginnings of words", args)
			}
			var rows []stepRow
			for _, s := range found {
				rows = append(rows, stepRow{s.Group, s.Expression, s.Doc, s.Example})
			}
			return out.answer(cmd, rows, func(w io.Writer, style console.Style) error {
				return printSteps(w, style, rows, examples)
			})
		},
	}
	cmd.Flags().BoolVar(&editor, "editor", false, "write the file from which editors complete steps")
	cmd.Flags().BoolVar(&examples, "examples", false, "show an example of each step")
	return cmd
}

// stepRow is a step as --json lists it.
type stepRow struct {
	Group      string `json:"group"`
	Expression string `json:"expression"`
	Doc        string `json:"doc"`
	Example    string `json:"example"`
}

func printSteps(w io.Writer, style console.Style, rows []stepRow, examples bool) error {
	for _, r := range rows {
		if _, err := fmt.Fprintf(w, "%s\n    %s\n", style.Bold(r.Expression), r.Doc); err != nil {
			return err
		}
		if !examples {
			continue
		}
		for line := range strings.Lines(r.Example + "\n") {
			if _, err := fmt.Fprint(w, "      ", style.Dim(strings.TrimSuffix(line, "\n")), "\n"); err != nil {
				return err
			}
		}
	}
	return nil
}
