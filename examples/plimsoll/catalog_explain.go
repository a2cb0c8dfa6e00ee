package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// question is what is to be explained.
type question struct {
	src     source
	trust   trust
	use     string
	project string
	labels  map[string]string
	all     bool
}

var ruleForm = regexp.MustCompile(`^DF1[0-9]{3}$`)

func newCatalogExplain(out *output) *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use:   "explain CATALOG [IMAGE | RULE]",
		Short: "Explain a decision: the rule, the evidence, the exception that would help, whom to ask",
		Long: `Explain what a catalog decides: the rule, the evidence step by step, the exception that would help, and whom to ask.

An IMAGE is asked about as if a definition named it; a RULE (the id of a finding) is explained by itself, and with --repo
together with the decisions of the definition that it denied. With --repo alone everything that is refused or moved in the
definition is explained, with --all everything. The exit code is 1 when something is refused.`,
		Example: `  plimsoll catalog explain catalog.yaml debian:11
  plimsoll catalog explain catalog.yaml golang:1.26 --use build --project https://git.example/team/pay
  plimsoll catalog explain catalog.yaml --repo . -f services/pay/Dockerfile
  plimsoll catalog explain catalog.yaml DF1008 --repo .`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := q.src.registry()
			defer client.Close()
			cat, err := q.trust.load(cmd.Context(), args[0], "", client)
			if err != nil {
				return err
			}
			definition := cmd.Flags().Changed("repo") || cmd.Flags().Changed("dockerfile")
			switch {
			case len(args) == 1 && !definition:
				return errors.New("name an image or a rule, or a definition with --repo")
			case len(args) == 1:
				return q.definition(cmd, out, cat, client, "")
			case ruleForm.MatchString(args[1]):
				if definition {
					return q.definition(cmd, out, cat, client, args[1])
				}
				return explainRule(cmd, out, args[1])
			}
			return q.image(cmd, out, cat, client, args[1])
		},
	}
	q.src.flags(cmd)
	q.trust.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&q.use, "use", "runtime", "what the image is for: runtime, build or frontend")
	f.StringVar(&q.project, "project", "", "source repository on whose behalf is asked, for its exceptions")
	f.StringToStringVar(&q.labels, "label", nil, "labels of the project, NAME=VALUE")
	f.BoolVar(&q.all, "all", false, "explain what is allowed as it is, too")
	return cmd
}

// image explains a reference that no definition names, for each platform.
func (q *question) image(cmd *cobra.Command, out *output, cat *catalog.Catalog, client *registry.Client, image string) error {
	input := catalog.Input{
		Kind: catalog.KindImage, Role: catalog.RoleBase, Written: image, Ref: catalog.FullReference(image), Reachable: true, Place: finding.Place{File: "argument"},
	}
	switch q.use {
	case "runtime":
		input.Runtime = true
	case "build":
	case "frontend":
		input.Role = catalog.RoleFrontend
	default:
		return fmt.Errorf("use %q is none of runtime, build, frontend", q.use)
	}
	var err error
	if input.Digest, err = client.Resolve(cmd.Context(), input.Ref); err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	platforms := q.src.platforms
	if len(platforms) == 0 {
		platforms = []string{"linux/" + runtime.GOARCH}
	}
	project := catalog.Project{Repository: q.project, Directory: q.src.load.Dir, Labels: q.labels}
	asked := catalog.Question{Project: project, At: time.Now()}
	for _, platform := range platforms {
		input.Platform = platform
		asked.Inputs = append(asked.Inputs, input)
	}
	plan, err := cat.Plan(cmd.Context(), asked, homes.CatalogFacts(client))
	if err != nil {
		return err
	}
	q.all = true
	return q.explain(cmd, out, cat, project, plan, "")
}

// definition explains the decisions about a definition, or those that one rule denied.
func (q *question) definition(cmd *cobra.Command, out *output, cat *catalog.Catalog, client *registry.Client, rule string) error {
	def, plan, err := q.src.plan(cmd.Context(), cat, client, q.labels)
	if err != nil {
		return err
	}
	project := catalog.Project{Repository: def.Source.Repository, Directory: def.Source.Directory, Labels: q.labels}
	return q.explain(cmd, out, cat, project, plan, rule)
}

func (q *question) explain(cmd *cobra.Command, out *output, cat *catalog.Catalog, project catalog.Project, plan *catalog.Plan, rule string) error {
	explained := []catalog.Explanation{}
	for _, d := range plan.Decisions {
		if rule == "" && (q.all || d.Moved || !d.Allowed) || rule != "" && d.Rule == rule {
			explained = append(explained, cat.Explain(project, d))
		}
	}
	err := out.answer(cmd, explained, func(w io.Writer, _ console.Style) error {
		var text strings.Builder
		for i, e := range explained {
			if i > 0 {
				text.WriteByte('\n')
			}
			text.WriteString(e.String())
		}
		if len(explained) == 0 {
			text.WriteString("nothing is refused or moved\n")
			if rule != "" {
				text.Reset()
				text.WriteString(rule + " denied nothing here\n")
			}
		}
		_, err := io.WriteString(w, console.Clean(text.String()))
		return err
	})
	return errors.Join(err, finding.Gate(plan.Findings, finding.Error))
}

// explainRule shows what a rule is there for.
func explainRule(cmd *cobra.Command, out *output, id string) error {
	rules := catalog.Rules()
	i := slices.IndexFunc(rules, func(r catalog.Rule) bool { return r.ID == id })
	if i < 0 {
		return fmt.Errorf("catalogs have no rule %s; those of lint are told by \"plimsoll lint rules %s\"", id, id)
	}
	return out.answer(cmd, rules[i], func(w io.Writer, style console.Style) error {
		_, err := fmt.Fprintf(w, "%s: %s (%s)\n\n%s\n", style.Bold(rules[i].ID), rules[i].Title, rules[i].Severity, rules[i].Doc)
		return err
	})
}
