package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/report"
)

// upkeep is what a review looks at.
type upkeep struct {
	anyCatalog
	rep      reporting
	definers []string
	registry bool
	at       string
}

// reviewed is a review as JSON.
type reviewed struct {
	Findings []finding.Finding `json:"findings"`
	// Definitions is how many were looked at, and Exceptions how often they needed each exception.
	Definitions int                    `json:"definitions,omitempty"`
	Exceptions  []catalog.ExceptionUse `json:"exceptions,omitempty"`
}

func newCatalogReview(out *output) *cobra.Command {
	var u upkeep
	cmd := &cobra.Command{
		Use:   "review CATALOG",
		Short: "Find what a catalog no longer needs, and what is about to end",
		Long: `Review a catalog, for those who keep it: exceptions that have ended, end soon, or that nothing needs; moves to what no entry
allows. With --registry also what no tag in its registry matches. With --definition, as often as there are, also how often
the exceptions are needed, and which never are. A definition is a repository, with "#" and a directory in it.`,
		Example: `  plimsoll catalog review catalog/
  plimsoll catalog review catalog/ --registry --format github
  plimsoll catalog review catalog/ --definition https://git.example/pay/app --definition https://git.example/shop/mono#services/cart`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cat, err := u.load(cmd, args[0])
			if err != nil {
				return err
			}
			result, failed := u.review(cmd.Context(), cat)
			err = u.show(cmd, out, result)
			if _, gate := errors.AsType[*finding.GateError](err); failed != nil && (err == nil || gate) {
				return failed // not everything was answered
			}
			return errors.Join(err, failed)
		},
	}
	u.flags(cmd)
	u.rep.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&u.registry, "registry", false, "ask the registries whether what the catalog names is there")
	f.StringArrayVar(&u.definers, "definition", nil, "definition to count the use of exceptions in, REPOSITORY[#DIRECTORY]")
	f.StringVar(&u.at, "at", "", "day or time of the review, 2027-01-31 or RFC 3339 (default: now)")
	return cmd
}

// review looks at everything that was asked for, and goes on after what can't be had.
func (u *upkeep) review(ctx context.Context, cat *catalog.Catalog) (reviewed, error) {
	at, err := moment(u.at)
	if err != nil {
		return reviewed{}, err
	}
	client := newRegistry(u.plainHTTP)
	defer client.Close()
	result := reviewed{Findings: cat.Review(at)}
	var errs []error
	if u.registry {
		found, err := cat.Inspect(ctx, client)
		result.Findings, errs = append(result.Findings, found...), append(errs, err)
	}
	var tally catalog.Tally
	for _, d := range u.definers {
		if err := u.count(ctx, cat, client, d, at, &tally); err != nil {
			errs = append(errs, fmt.Errorf("definition %s: %w", d, err))
			continue
		}
		result.Definitions++
	}
	if len(u.definers) > 0 {
		result.Exceptions = tally.Exceptions(cat)
	}
	if len(u.definers) > 0 && result.Definitions == len(u.definers) { // one that was not seen may need any
		result.Findings = append(result.Findings, tally.Findings(cat, at)...)
	}
	result.Findings = finding.Sort(result.Findings)
	return result, errors.Join(errs...)
}

// count adds what one definition needs.
func (u *upkeep) count(ctx context.Context, cat *catalog.Catalog, client *registry.Client, where string, at time.Time, tally *catalog.Tally) error {
	src := source{plainHTTP: u.plainHTTP}
	src.repo, src.load.Dir, _ = strings.Cut(where, "#")
	def, plan, err := src.plan(ctx, cat, client, nil)
	if err != nil {
		return err
	}
	tally.Add(plan)
	found, err := lint.Run(def.File, rules.All(), lint.Config{At: at})
	if err != nil {
		return err
	}
	found, err = cat.Suppress(catalog.Project{Repository: def.Source.Repository, Directory: def.Source.Directory}, at, found)
	tally.AddSuppressed(cat, found)
	return err
}

func (u *upkeep) show(cmd *cobra.Command, out *output, result reviewed) error {
	if out.json {
		if err := console.JSON(cmd.OutOrStdout(), result); err != nil {
			return err
		}
		var gate finding.Severity
		if err := gate.UnmarshalText([]byte(u.rep.gate)); err != nil {
			return err
		}
		return finding.Gate(result.Findings, gate)
	}
	if u.rep.format == "text" && len(result.Exceptions) > 0 {
		var text strings.Builder
		for _, e := range result.Exceptions {
			fmt.Fprintf(&text, "%4d uses of exception %s until %s [%s]\n", e.Uses, e.ID, e.Until, e.Place)
		}
		if _, err := io.WriteString(cmd.OutOrStdout(), text.String()); err != nil {
			return err
		}
	}
	return u.rep.writeReport(cmd, out, report.Report{Findings: result.Findings})
}
