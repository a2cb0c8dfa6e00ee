package main

import (
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
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
	doc := report.Report{Findings: findings, Source: console.Source(def)}
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

// failed writes a report that says why there is none, for the formats that can: an empty file, or none, is easily taken
// for a clean one. It returns err and what went wrong with that.
func (r *reporting) failed(cmd *cobra.Command, out *output, err error) error {
	if _, gate := errors.AsType[*finding.GateError](err); err == nil || gate || !out.json && r.format != "json" && r.format != "sarif" {
		return err
	}
	failure := &report.Failure{Message: err.Error()}
	if syntax, ok := errors.AsType[*definition.SyntaxError](err); ok {
		failure.Place, failure.Message = syntax.Place, syntax.Err.Error()
	}
	return errors.Join(err, r.writeReport(cmd, out, report.Report{Failure: failure}))
}

func newLint(out *output) *cobra.Command {
	var src source
	var rep reporting
	var run linting
	cmd := &cobra.Command{
		Use:   "lint",
		Short: "Judge a definition by the rules",
		Long: `Judge a definition by the rules.

With --fix, fixes are applied to the files of the work tree, and what is left is reported. With --baseline, findings that
the baseline knows pass, new ones fail, and those that are gone are taken out of it; --accept begins one.`,
		Example: `  plimsoll lint
  plimsoll lint --dir services/pay --format sarif > lint.sarif
  plimsoll lint --file docker-bake.hcl --gate warning
  plimsoll lint --fix
  plimsoll lint --baseline lint-baseline.json --accept
  plimsoll lint --rego policy/`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return rep.failed(cmd, out, run.run(cmd, out, &src, &rep, time.Now()))
		},
	}
	src.flags(cmd)
	src.catalogFlag(cmd)
	rep.flags(cmd)
	run.flags(cmd)
	cmd.AddCommand(newRules(out))
	return cmd
}

// judge returns what the rules find in definitions, each Dockerfile once.
func judge(defs []*definition.Definition, rules []lint.Rule, cfg lint.Config) ([]finding.Finding, error) {
	var all []finding.Finding
	var errs []error
	for _, def := range distinct(defs) {
		found, err := lint.Run(def.File, rules, cfg)
		errs = append(errs, err) // one file that can't be judged does not keep the others from it
		all = append(all, def.Written(found)...)
	}
	return finding.Sort(all), errors.Join(errs...)
}

// distinct returns the definitions with different Dockerfiles.
func distinct(defs []*definition.Definition) []*definition.Definition {
	var out []*definition.Definition
	seen := map[string]bool{}
	for _, def := range defs {
		if !seen[def.File.Name] {
			seen[def.File.Name] = true
			out = append(out, def)
		}
	}
	return out
}
