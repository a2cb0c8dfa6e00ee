package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/report"
)

// reporting is how findings are written and which of them fail.
type reporting struct {
	format string
	gate   string
}

func (r *reporting) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.format, "format", "text", "format of the findings: "+strings.Join(report.Names(), ", "))
	cmd.Flags().StringVar(&r.gate, "gate", "error", "severity from which on a finding fails the command: info, warning, error")
}

// write writes the findings about a definition and returns the gate's error.
func (r *reporting) write(cmd *cobra.Command, out *output, def *definition.Definition, findings []finding.Finding) error {
	doc := report.Report{Findings: findings, Source: console.Source(def.File), Directory: def.Source.Directory}
	if def.Source.Commit != "" {
		doc.Subject = def.Source.Repository + "@" + def.Source.Commit
	}
	return r.writeReport(cmd, out, doc)
}

// writeReport writes findings about anything and returns the gate's error.
func (r *reporting) writeReport(cmd *cobra.Command, out *output, doc report.Report) error {
	var gate finding.Severity
	if err := gate.UnmarshalText([]byte(r.gate)); err != nil {
		return err
	}
	name := r.format
	if out.json {
		name = "json"
	}
	format, err := report.ByName(name)
	if err != nil {
		return err
	}
	if name == "text" {
		format = report.Text{Color: bool(console.StyleFor(cmd.OutOrStdout()))}
	}
	if err := format.Write(cmd.OutOrStdout(), doc); err != nil {
		return err
	}
	return finding.Gate(doc.Findings, gate)
}

func newLint(out *output) *cobra.Command {
	var src source
	var rep reporting
	cmd := &cobra.Command{
		Use:   "lint",
		Short: "Judge a definition by the rules",
		Example: `  plimsoll lint
  plimsoll lint --dir services/pay --format sarif > lint.sarif
  plimsoll lint --gate warning`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			def, err := src.definition(cmd.Context())
			if err != nil {
				return err
			}
			findings, err := lint.Run(def.File, rules.All(), lint.Config{At: time.Now()})
			if err != nil {
				return err
			}
			return rep.write(cmd, out, def, findings)
		},
	}
	src.flags(cmd)
	rep.flags(cmd)
	cmd.AddCommand(newRules(out))
	return cmd
}
