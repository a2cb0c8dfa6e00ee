package catalog

import "slices"

// authority holds what [Include] promises: parts add, and never weaken.
func (c *compiler) authority() {
	if len(c.catalog.parts) == 1 {
		return
	}
	listed := map[string]*base{}
	for _, b := range c.catalog.allBases() {
		if b.State == StateBanned {
			continue
		}
		if first := listed[b.Repository]; first == nil {
			listed[b.Repository] = b
		} else if first.part != b.part {
			c.report(b.Place, "%s is listed by %s too, at %s; one part lists a repository", b.Repository, first.part.called(), first.Place)
		}
	}
	for repository, substitutions := range c.catalog.substitutions {
		for i, s := range substitutions {
			target := s.target.Repository
			if target == "" {
				target = repository
			}
			switch first := listed[repository]; {
			case first != nil && first.part != s.part:
				c.report(s.Place, "%s is moved here and listed by %s, at %s; only the part that lists a repository moves it", repository, first.part.called(), first.Place)
			case first == nil && substitutions[0].part != s.part:
				c.report(substitutions[i].Place, "%s is moved by %s too, at %s; one part moves a repository", repository, substitutions[0].part.called(), substitutions[0].Place)
			case s.Security && !c.catalog.mayHurry(s.part, target):
				c.report(s.Place, "security goes around the cool-down of %s, which another part lists, at %s", target, listed[target].Place)
			}
		}
	}
	for _, e := range c.catalog.exceptions {
		if !e.part.grants(e.project) {
			c.report(e.Place, "exception %s is for %s, and the include of %s (%s) names no such project: projects", e.ID, e.Project.Repository, e.part.called(), e.part.Place)
		}
	}
}

// allBases are the entries in the order in which they were read.
func (c *Catalog) allBases() []*base {
	var all []*base
	for _, bases := range c.bases {
		all = append(all, bases...)
	}
	slices.SortStableFunc(all, func(a, b *base) int { return slices.Index(c.parts, a.part) - slices.Index(c.parts, b.part) })
	return all
}

// mayHurry says whether a part may move bases to a repository without regard to its cool-down: if no other part lists it.
func (c *Catalog) mayHurry(p *part, repository string) bool {
	return !slices.ContainsFunc(c.bases[repository], func(b *base) bool { return b.State != StateBanned && b.part != p })
}
