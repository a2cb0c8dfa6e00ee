package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/campaign"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

func newBan(out *output) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ban",
		Short:   "See what a ban of the catalog means before it holds",
		Example: "  plimsoll ban preview BAN-7 --catalog catalog.yaml --store lineage.db",
	}
	cmd.AddCommand(newBanPreview(out))
	return cmd
}

func newBanPreview(out *output) *cobra.Command {
	l := &lineageCommand{output: out}
	var file string
	cmd := &cobra.Command{
		Use:   "preview BAN",
		Short: "Say which images stand on what is banned, who answers for them, and what of them runs; change nothing",
		Long: `Say which images stand on what is banned, who answers for them, and what of them runs. Nothing is changed and no registry
is asked: write the ban into a catalog that nobody uses yet, and look. How the images would be replaced is said by
"plimsoll rebuild preview".`,
		Example: `  plimsoll ban preview BAN-7 --catalog catalog.yaml --store lineage.db
  plimsoll ban preview BAN-7 --catalog next/ --store postgres://db.example/lineage --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := os.Stat(l.store); err != nil && !strings.Contains(l.store, "://") {
				return fmt.Errorf("the lineage index: %w: fill it with plimsoll lineage scan", err) // an empty one would show nothing banned
			}
			store, err := l.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			parts := campaign.Parts{
				Lineage: store,
				Catalog: func(context.Context) (*catalog.Catalog, error) { return homes.LoadCatalog(file) },
			}
			p, err := campaign.Look(cmd.Context(), parts, args[0])
			if err != nil {
				return err
			}
			p.NoStorm = "a preview changes nothing; plimsoll rebuild preview says how images would be replaced"
			return out.answer(cmd, p, func(w io.Writer, _ console.Style) error { return p.Text(w) })
		},
	}
	cmd.Flags().StringVar(&file, "catalog", "", "the catalog: a file or a directory")
	cmd.Flags().StringVar(&l.store, "store", "lineage.db", "the file with the graph, or the URL of a PostgreSQL database")
	_ = cmd.MarkFlagRequired("catalog")
	return cmd
}
