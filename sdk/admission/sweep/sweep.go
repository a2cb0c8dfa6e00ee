// Package sweep judges what runs already: a gate is asked before a start, and an image that is banned a minute later runs
// on. A sweep says which instances the present deny bundle would not let start, as a report and as a metric.
//
//	report, err := sweep.Sweep(ctx, gate, engine)
//	fmt.Print(report)
//
// Docker hosts come from package docker. Instances of Kubernetes come from whoever can list pods: package
// fleet/kubernetes.
package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Lister lists what runs somewhere. [*docker.Engine] is one.
type Lister interface {
	Instances(ctx context.Context) ([]admission.Instance, error)
}

// Report is what a sweep found.
type Report struct {
	Version int       `json:"version"` // of this form: 1
	At      time.Time `json:"at"`
	// Bundle is what was judged by.
	Bundle admission.BundleInfo `json:"bundle,omitzero"`
	// Instances are all that run, denied ones first.
	Instances []Judged `json:"instances"`
	Denied    int      `json:"denied"`
	Warned    int      `json:"warned"`
	Allowed   int      `json:"allowed"`
	// Unreached are places that could not be asked. What runs there is not in the report.
	Unreached []string `json:"unreached,omitempty"`
}

// Judged is an instance with the gate's answer.
type Judged struct {
	Instance admission.Instance `json:"instance"`
	Decision admission.Decision `json:"decision"`
}

// Sweep judges what runs in all places. Places that can't be asked are in the report and in the error; the rest of the
// report holds all the same.
func Sweep(ctx context.Context, gate *admission.Gate, places ...Lister) (*Report, error) {
	r := &Report{Version: 1, Instances: []Judged{}}
	var errs []error
	for _, place := range places {
		instances, err := place.Instances(ctx)
		if err != nil {
			errs = append(errs, err)
			r.Unreached = append(r.Unreached, err.Error())
		}
		for _, i := range instances {
			r.add(i, gate.Decide(ctx, i.Image))
		}
	}
	slices.SortStableFunc(r.Instances, func(a, b Judged) int {
		return cmp.Or(rank(a)-rank(b), strings.Compare(a.Instance.Place, b.Instance.Place), strings.Compare(a.Instance.Name, b.Instance.Name))
	})
	return r, errors.Join(errs...)
}

func (r *Report) add(i admission.Instance, d admission.Decision) {
	r.Instances = append(r.Instances, Judged{i, d})
	r.At, r.Bundle = d.At, d.Bundle
	switch d.Outcome {
	case admission.Allowed:
		r.Allowed++
	case admission.Warned:
		r.Warned++
	default:
		r.Denied++
	}
}

func rank(j Judged) int {
	return slices.Index([]admission.Outcome{admission.Denied, admission.Warned, admission.Allowed}, j.Decision.Outcome)
}

// Findings are those of all instances, each with the instance's name before it.
func (r *Report) Findings() []finding.Finding {
	var all []finding.Finding
	for _, j := range r.Instances {
		for _, f := range j.Decision.Findings {
			f.Message = fmt.Sprintf("%s runs: %s", label(j.Instance), f.Message)
			if j.Decision.Permit != "" {
				f.Severity = finding.Warning
			}
			all = append(all, f)
		}
	}
	return finding.Sort(all)
}

// Write writes the report for people: a line for each instance that is denied or warned, and the counts.
func (r *Report) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, j := range r.Instances {
		if j.Decision.Outcome == admission.Allowed {
			continue
		}
		why := []string{}
		for _, f := range j.Decision.Findings {
			why = append(why, f.Message+" ("+f.Rule+")")
		}
		if _, err := fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", j.Decision.Outcome, label(j.Instance), j.Instance.Image.Name(), strings.Join(why, "; ")); err != nil {
			return err
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d denied, %d warned, %d allowed, by version %d of the deny bundle\n", r.Denied, r.Warned, r.Allowed, r.Bundle.Version)
	return err
}

func label(i admission.Instance) string {
	name := i.Name
	if name == "" {
		name = i.ID
	}
	if i.Place == "" {
		return name
	}
	return i.Place + " " + name
}
