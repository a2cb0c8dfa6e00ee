// Package catalogtest tests catalogs: given this Dockerfile and this project, expect these decisions. Ops keep such cases
// beside the catalog and run them before a change takes effect; see [Run], and [Check] for use outside of go test.
//
// [Registry] is a made-up registry, for these tests and for those of programs that make plans.
package catalogtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Case is one question to a catalog with the answer that is expected.
type Case struct {
	Name string
	// Dockerfile is a simple one (see [Inputs]); Inputs are instead of it where more is needed.
	Dockerfile string
	Inputs     []catalog.Input
	Project    catalog.Project
	Args       []string
	// BuildArgs, Platforms and Target are those of the build, for who reads Dockerfile with package definition/inputs and
	// gives Inputs; [Inputs] knows nothing of them.
	BuildArgs map[string]string
	Platforms []string
	Target    string
	// At is when. Default: 2026-07-01.
	At time.Time
	// Registry is what is out there. Nil is a registry in which every reference of the Dockerfile exists and nothing else.
	Registry *Registry
	// Want are the decisions in the order of the inputs, as [Line] writes them.
	Want []string
	// Findings are the ids of the rules with findings, sorted. Nil is not checked; neither is a Want that is nil beside them.
	Findings []string
	// Place is where the case stands, if it is from a file.
	Place finding.Place
}

// Run runs each case as a subtest.
func Run(t *testing.T, cat *catalog.Catalog, cases ...Case) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Helper()
			if err := Check(t.Context(), cat, c); err != nil {
				t.Error(err)
			}
		})
	}
}

// Check runs one case. The error says what was expected and what came, with the findings.
func Check(ctx context.Context, cat *catalog.Catalog, c Case) error {
	plan, err := Plan(ctx, cat, c)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	var got []string
	for _, d := range plan.Decisions {
		got = append(got, Line(d))
	}
	rules := Rules(plan.Findings)
	wanted := slices.Equal(got, c.Want) || c.Want == nil && c.Findings != nil
	if wanted && (c.Findings == nil || slices.Equal(rules, c.Findings)) {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: want\n  %s\n", c.Name, strings.Join(append(slices.Clone(c.Want), c.Findings...), "\n  "))
	fmt.Fprintf(&b, "got\n  %s\n", strings.Join(append(got, rules...), "\n  "))
	for _, f := range plan.Findings {
		fmt.Fprintf(&b, "  %s\n", f)
	}
	return fmt.Errorf("%s", strings.TrimSuffix(b.String(), "\n"))
}

// Plan makes the plan of a case.
func Plan(ctx context.Context, cat *catalog.Catalog, c Case) (*catalog.Plan, error) {
	if c.At.IsZero() {
		c.At = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	}
	if c.Registry == nil {
		c.Registry = Tags()
		for _, in := range Inputs(c.Dockerfile, nil) {
			if in.Kind == catalog.KindImage && !strings.Contains(in.Ref, "@") {
				c.Registry.Images[in.Ref] = Image{}
			}
		}
	}
	inputs := c.Inputs
	if inputs == nil {
		inputs = Inputs(c.Dockerfile, c.Registry)
	}
	return cat.Plan(ctx, catalog.Question{Project: c.Project, Inputs: inputs, Args: c.Args, At: c.At}, c.Registry)
}

// Line is a decision in one line: "allow debian:12", "move debian:12.8 to docker.io/library/debian:12.9" or
// "deny evil:1 (DF1001)", with the reference as the definition has it.
func Line(d catalog.Decision) string {
	switch {
	case !d.Allowed:
		return fmt.Sprintf("deny %s (%s)", d.Input.Written, d.Rule)
	case d.Moved:
		return fmt.Sprintf("move %s to %s", d.Input.Written, d.Effective)
	}
	return "allow " + d.Input.Written
}

// Rules are the ids of the rules with findings, sorted, each once.
func Rules(findings []finding.Finding) []string {
	rules := []string{}
	for _, f := range findings {
		rules = append(rules, f.Rule)
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}
