package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/page"
)

func newCatalogShow(out *output) *cobra.Command {
	var from anyCatalog
	var format, at string
	cmd := &cobra.Command{
		Use:   "show CATALOG",
		Short: "Show a catalog to people: bases, exceptions with their ends, moves, bans",
		Example: `  plimsoll catalog show catalog/
  plimsoll catalog show catalog/ --at 2027-01-01        # what it will be then
  plimsoll catalog show oci://registry.example/ops/catalog:current --catalog-key ops.pub --format html > catalog.html`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			when, err := moment(at)
			if err != nil {
				return err
			}
			if format != "text" && format != "html" {
				return fmt.Errorf("format %q is neither text nor html; --json writes JSON", format)
			}
			cat, err := from.load(cmd, args[0])
			if err != nil {
				return err
			}
			view := page.New(cat, when)
			return out.answer(cmd, view, func(w io.Writer, style console.Style) error {
				if format == "html" {
					return page.HTML(w, view)
				}
				return page.Text(w, view, func(meaning, text string) string {
					return map[string]func(string) string{
						"good": style.Good, "bad": style.Bad, "note": style.Note, "dim": style.Dim, "bold": style.Bold,
					}[meaning](text)
				})
			})
		},
	}
	from.flags(cmd)
	cmd.Flags().StringVar(&format, "format", "text", "text or html")
	cmd.Flags().StringVar(&at, "at", "", "day or time to show it at, 2027-01-31 or RFC 3339 (default: now)")
	return cmd
}

// moment reads a day or a time; nothing is now.
func moment(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%q is neither a day (2027-01-31) nor a time (2027-01-31T18:00:00Z)", text)
	}
	return t, nil
}
