package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Tally counts over the plans of many definitions what the exceptions of a catalog are used for, which one plan can't
// know. Its zero value is ready, and it is safe for concurrent use.
type Tally struct {
	mu    sync.Mutex
	plans int
	uses  map[string]int
}

// Add counts a plan.
func (t *Tally) Add(p *Plan) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.plans++
	if t.uses == nil {
		t.uses = map[string]int{}
	}
	for _, e := range p.Exceptions {
		t.uses[e.ID] += e.Uses
	}
}

// AddSuppressed counts what [Catalog.Suppress] returned for the same definition.
func (t *Tally) AddSuppressed(c *Catalog, findings []finding.Finding) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.uses == nil {
		t.uses = map[string]int{}
	}
	for _, f := range findings {
		if f.Suppressed == nil || f.Suppressed.Kind != "exception" {
			continue
		}
		for _, e := range c.exceptions {
			if f.Suppressed.Reason == e.suppressionReason() {
				t.uses[e.ID]++
			}
		}
	}
}

// Exceptions returns the exceptions of a catalog with how often the plans needed them, the most used first.
func (t *Tally) Exceptions(c *Catalog) []ExceptionUse {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]ExceptionUse, 0, len(c.exceptions))
	for _, e := range c.exceptions {
		out = append(out, ExceptionUse{ID: e.ID, Place: e.Place, Until: e.Until, Uses: t.uses[e.ID]})
	}
	slices.SortStableFunc(out, func(a, b ExceptionUse) int { return cmp.Compare(b.Uses, a.Uses) })
	return out
}

// Findings are about exceptions in force at a time that no plan needed.
func (t *Tally) Findings(c *Catalog, at time.Time) []finding.Finding {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []finding.Finding
	for _, e := range c.exceptions {
		if !e.inForce(at) || t.uses[e.ID] > 0 {
			continue
		}
		out = append(out, finding.Finding{
			Rule: RuleExceptionUnused, Severity: severityOf(RuleExceptionUnused), Place: e.Place,
			Message: fmt.Sprintf("exception %s for %s was needed by none of %d definitions", e.ID, e.Project.Repository, t.plans),
			Help:    "delete it, if these are all that there are",
		})
	}
	return finding.Sort(out)
}

// inForce says whether the exception holds at a time.
func (e *exception) inForce(at time.Time) bool {
	return (e.From.IsZero() || e.From.begun(at)) && !e.Until.ended(at)
}
