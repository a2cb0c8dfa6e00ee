package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/inputs"
)

func newInputs(out *output) *cobra.Command {
	var src source
	cmd := &cobra.Command{
		Use:   "inputs",
		Short: "List everything that a build of a definition would read",
		Long: `List every image, file and repository that a build would really read, on each platform: bases, COPY --from,
RUN --mount=from, ADD of URLs, frontends and what a base image's triggers add. Images are resolved to their digests.`,
		Example: `  plimsoll inputs
  plimsoll inputs --repo https://git.example/team/app.git --commit v1.2.3 --platform linux/amd64,linux/arm64
  plimsoll inputs --file docker-bake.hcl --target app
  plimsoll inputs --json | jq -r '.[].ref'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cat, err := src.templates(cmd.Context())
			if err != nil {
				return err
			}
			defs, err := src.definitions(cmd.Context(), cat)
			if err != nil {
				return err
			}
			client := src.registry()
			defer client.Close()
			var list []catalog.Input
			for _, def := range defs {
				found, err := src.inputs(cmd.Context(), def, client)
				if err != nil {
					return err
				}
				list = append(list, inputs.Written(def, found)...)
			}
			return out.answer(cmd, list, func(w io.Writer, style console.Style) error { return printInputs(w, style, list) })
		},
	}
	src.flags(cmd)
	src.catalogFlag(cmd)
	return cmd
}

func printInputs(w io.Writer, style console.Style, list []catalog.Input) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "PLACE\tROLE\tPLATFORM\tREFERENCE\tDIGEST")
	for _, in := range list {
		note := ""
		if !in.Reachable {
			note = style.Dim(" (stage not needed)")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.19s%s\n", in.Place, in.Role, in.Platform, catalog.Printable(in.Ref), in.Digest, note)
	}
	return t.Flush()
}
