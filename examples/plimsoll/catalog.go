package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	defsource "github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

func newCatalog(out *output) *cobra.Command {
	cmd := &cobra.Command{Use: "catalog", Short: "Work with the catalog of base images"}
	cmd.AddCommand(newCatalogCheck(out), newCatalogShow(out), newCatalogExplain(out), newCatalogTest(out), newCatalogReview(out),
		newCatalogDiff(out), newCatalogPush(out), newCatalogPull(out), newCatalogSchema())
	return cmd
}

func newCatalogCheck(out *output) *cobra.Command {
	var src source
	var rep reporting
	var from trust
	cmd := &cobra.Command{
		Use:   "check CATALOG",
		Short: "Check a catalog, and what it says to a definition",
		Long: `Check that a catalog (a file, all YAML files below a directory, or oci://registry/repository with :tag or @digest) is
one, with the places of all problems. What it includes from git and registries is fetched.
With --repo it also says what the catalog makes of a definition: which inputs are allowed, moved or refused, and why.`,
		Example: `  plimsoll catalog check catalog.yaml
  plimsoll catalog check catalog/ --repo . --dir services/pay
  plimsoll catalog check catalog.yaml --repo . --format sarif > bases.sarif`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := src.registry()
			defer client.Close()
			cat, err := from.load(cmd.Context(), args[0], "", client)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("repo") {
				return out.answer(cmd, map[string]string{"catalog": args[0], "digest": cat.Digest()}, func(w io.Writer, style console.Style) error {
					_, err := fmt.Fprintf(w, "%s: %s (%s)\n", args[0], style.Good("a catalog"), cat.Digest())
					return err
				})
			}
			return rep.failed(cmd, out, checkDefinition(cmd, out, &src, &rep, cat, client))
		},
	}
	src.flags(cmd)
	rep.flags(cmd)
	from.flags(cmd)
	return cmd
}

func checkDefinition(cmd *cobra.Command, out *output, src *source, rep *reporting, cat *catalog.Catalog, client *registry.Client) error {
	defs, err := src.definitions(cmd.Context(), cat)
	if err != nil {
		return err
	}
	var findings []finding.Finding
	for _, def := range defs {
		plan, err := src.planOf(cmd.Context(), def, cat, client, nil)
		if err != nil {
			return err
		}
		findings = append(findings, plan.Findings...)
		if rep.format == "text" && !out.json {
			if err := printPlan(cmd, def, plan); err != nil {
				return err
			}
		}
	}
	return rep.write(cmd, out, defs[0], finding.Sort(findings))
}

// plan asks the catalog about the definition, which describes one image.
func (s *source) plan(ctx context.Context, cat *catalog.Catalog, client *registry.Client, labels map[string]string) (*definition.Definition, *catalog.Plan, error) {
	def, err := defsource.Load(ctx, s.repo, s.ref, s.options(cat))
	if err != nil {
		return nil, nil, err
	}
	plan, err := s.planOf(ctx, def, cat, client, labels)
	return def, plan, err
}

// planOf asks the catalog about one definition. Its findings stand where people wrote.
func (s *source) planOf(ctx context.Context, def *definition.Definition, cat *catalog.Catalog, client *registry.Client, labels map[string]string) (*catalog.Plan, error) {
	list, err := s.inputs(ctx, def, client)
	if err != nil {
		return nil, err
	}
	plan, err := cat.Plan(ctx, catalog.Question{
		Project: catalog.Project{Repository: def.Source.Repository, Directory: def.Source.Directory, Labels: labels},
		Inputs:  list,
		Args:    slices.Sorted(maps.Keys(s.args)),
		At:      time.Now(),
	}, homes.CatalogFacts(client))
	if plan != nil {
		plan.Findings = def.Written(plan.Findings)
	}
	return plan, err
}

// printPlan shows the decisions, and as a patch what would be built instead of what the file says.
func printPlan(cmd *cobra.Command, def *definition.Definition, plan *catalog.Plan) error {
	w, style := cmd.OutOrStdout(), console.StyleFor(cmd.OutOrStdout())
	var errs []error
	say := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format, args...)
		errs = append(errs, err)
	}
	for _, d := range plan.Decisions {
		mark, what := style.Good("allowed"), catalog.Printable(d.Effective)
		switch {
		case !d.Allowed:
			mark, what = style.Bad("refused"), catalog.Printable(d.Input.Ref)
		case d.Moved:
			mark, what = style.Note("moved  "), d.Input.Ref+" -> "+d.Effective
		}
		say("%s %s: %s\n", mark, def.Place(d.Input.Place), what)
	}
	src, err := plan.Rewrite(def.File.Src)
	if err == nil {
		say("%s", def.Diff(src))
	}
	return errors.Join(errs...)
}

func newCatalogSchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of catalogs, for editors",
		Example: "  plimsoll catalog schema > catalog.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), catalog.Schema())
			return err
		},
	}
}
