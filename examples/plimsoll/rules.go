package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
)

// ruleRow is a rule as --json lists it.
type ruleRow struct {
	ID       string           `json:"id"`
	Name     string           `json:"name,omitempty"`
	Title    string           `json:"title"`
	Group    lint.Group       `json:"group"`
	Severity finding.Severity `json:"severity"`
}

func newRules(out *output) *cobra.Command {
	return &cobra.Command{
		Use:     "rules [ID]",
		Short:   "List the rules, those of the catalog among them, or show the page of one",
		Example: "  plimsoll lint rules\n  plimsoll lint rules DF2001",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return printRule(cmd.OutOrStdout(), args[0])
			}
			var rows []ruleRow
			for _, r := range catalog.Rules() {
				rows = append(rows, ruleRow{ID: r.ID, Title: r.Title, Group: "catalog", Severity: r.Severity})
			}
			for _, r := range rules.All() {
				rows = append(rows, ruleRow{r.ID, r.Name, r.Title, r.Group, r.Severity})
			}
			return out.answer(cmd, rows, func(w io.Writer, _ console.Style) error { return printRules(w, rows) })
		},
	}
}

func printRules(w io.Writer, rows []ruleRow) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.ID, r.Severity, r.Group, r.Title)
	}
	return t.Flush()
}

func printRule(w io.Writer, id string) error {
	for _, r := range rules.All() {
		if r.ID == id || r.Name == id {
			_, err := fmt.Fprintf(w, "%s\n", r.Doc)
			return err
		}
	}
	for _, r := range catalog.Rules() {
		if r.ID == id {
			_, err := fmt.Fprintf(w, "# %s %s\n\n%s\n", r.ID, r.Title, r.Doc)
			return err
		}
	}
	return fmt.Errorf("no rule %q: plimsoll lint rules lists them", id)
}
