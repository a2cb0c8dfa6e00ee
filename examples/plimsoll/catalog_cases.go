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
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/report"
)

func newCatalogTest(out *output) *cobra.Command {
	var from anyCatalog
	var rep reporting
	cmd := &cobra.Command{
		Use:   "test CATALOG CASES...",
		Short: "Test a catalog: given this Dockerfile and project, expect these decisions",
		Long: `Test a catalog by cases in YAML files: given this Dockerfile and this project, expect these decisions. Dockerfiles are read
as a build would read them; the registry is made up, so nothing is asked of a real one.

  - name: debian is moved
    dockerfile: FROM debian:12.8
    project: {repository: https://git.example/team/pay}
    at: 2026-07-01T00:00:00Z
    registry: {"docker.io/library/debian:12.8": {}, "docker.io/library/debian:12.9": {created: 2026-06-01T00:00:00Z}}
    want: [move debian:12.8 to docker.io/library/debian:12.9]
    findings: [DF1012]

Without a registry every image exists. The format is described with package sdk/catalog/catalogtest.`,
		Example: `  plimsoll catalog test catalog/ tests/*.yaml
  plimsoll catalog test catalog.yaml cases.yaml --format junit > catalog.xml`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cat, err := from.load(cmd, args[0])
			if err != nil {
				return err
			}
			var cases []catalogtest.Case
			for _, path := range args[1:] {
				src, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				more, err := catalogtest.Load(path, src)
				if err != nil {
					return err
				}
				cases = append(cases, more...)
			}
			failed, err := testCatalog(cmd.Context(), cat, cases)
			if err != nil {
				return err
			}
			if rep.format != "text" || out.json {
				return rep.writeReport(cmd, out, report.Report{Findings: failed})
			}
			return printCases(cmd, cases, failed)
		},
	}
	from.flags(cmd)
	rep.flags(cmd)
	return cmd
}

// testCatalog runs the cases and returns a finding for each that failed.
func testCatalog(ctx context.Context, cat *catalog.Catalog, cases []catalogtest.Case) ([]finding.Finding, error) {
	var failed []finding.Finding
	for _, c := range cases {
		err := homes.ReadCase(ctx, &c)
		if err == nil {
			err = catalogtest.Check(ctx, cat, c)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			failed = append(failed, finding.Finding{
				Rule: catalog.RuleCatalogTest, Severity: finding.Error, Place: c.Place, Message: strings.ReplaceAll(err.Error(), "\n", "\n  "),
			})
		}
	}
	return failed, nil
}

func printCases(cmd *cobra.Command, cases []catalogtest.Case, failed []finding.Finding) error {
	w, style := cmd.OutOrStdout(), console.StyleFor(cmd.OutOrStdout())
	byPlace := map[finding.Place]finding.Finding{}
	for _, f := range failed {
		byPlace[f.Place] = f
	}
	var text strings.Builder
	for _, c := range cases {
		if f, ok := byPlace[c.Place]; ok {
			fmt.Fprintf(&text, "%s %s: %s\n", style.Bad("fail"), c.Place, console.Clean(f.Message))
			continue
		}
		fmt.Fprintf(&text, "%s %s\n", style.Good("ok  "), console.Clean(c.Name))
	}
	fmt.Fprintf(&text, "%d of %d cases as expected\n", len(cases)-len(failed), len(cases))
	if _, err := io.WriteString(w, text.String()); err != nil {
		return err
	}
	return finding.Gate(failed, finding.Error)
}
