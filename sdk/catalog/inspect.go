package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Inspect compares the catalog with what is in the registries, for those who keep it: entries, exceptions and
// substitutions that no tag matches. Repositories that could not be asked are in the error, beside the findings about the
// others. Bans are left out: what they name may be gone from its registry and still run.
func (c *Catalog) Inspect(ctx context.Context, facts Facts) ([]finding.Finding, error) {
	byRepository := map[string][]named{}
	add := func(n named) {
		if len(n.m.Digests) == 0 && n.m.named() { // digests are looked up by whoever pins them
			byRepository[n.m.Repository] = append(byRepository[n.m.Repository], n)
		}
	}
	for _, b := range c.allBases() {
		if b.State != StateBanned {
			add(named{"entry " + b.String(), RuleMatchesNothing, b.Place, &b.match})
		}
	}
	for _, list := range c.substitutions {
		for _, s := range list {
			add(named{"substitution of " + s.From.String(), RuleMatchesNothing, s.Place, &s.from})
		}
	}
	for _, e := range c.exceptions {
		if e.image != nil {
			add(named{"exception " + e.ID + " for " + e.image.String(), RuleExceptionIdle, e.Place, e.image})
		}
	}
	repositories := slices.Sorted(maps.Keys(byRepository))
	found, errs := make([][]finding.Finding, len(repositories)), make([]error, len(repositories))
	var wait sync.WaitGroup
	for worker := range min(resolvers, len(repositories)) {
		wait.Go(func() {
			for i := worker; i < len(repositories); i += resolvers {
				tags, err := facts.Tags(ctx, repositories[i])
				if errs[i] = err; err == nil {
					found[i] = unmatched(byRepository[repositories[i]], tags)
				}
			}
		})
	}
	wait.Wait()
	return finding.Sort(slices.Concat(found...)), errors.Join(errs...)
}

// named is something of the catalog that names tags.
type named struct {
	what  string
	rule  string
	place finding.Place
	m     *matcher
}

func unmatched(list []named, tags []string) []finding.Finding {
	var out []finding.Finding
	for _, n := range list {
		if !slices.ContainsFunc(tags, func(tag string) bool { return n.m.narrow(tag, "") == fitYes }) {
			out = append(out, finding.Finding{
				Rule: n.rule, Severity: severityOf(n.rule), Place: n.place,
				Message: fmt.Sprintf("%s matches none of the %d tags of its repository", n.what, len(tags)),
				Help:    "mend or delete it",
			})
		}
	}
	return out
}
