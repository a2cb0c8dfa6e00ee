package catalog

import "slices"

// inline checks the ids of a rule.
func (c *compiler) inline(r *InlineRule) {
	for _, ids := range [][]string{r.Allow, r.Forbid} {
		for i, id := range ids {
			if !ruleID.MatchString(id) {
				c.report(c.at(&ids[i], r.Place), "inline: %q is not the id of a rule, such as DF5002", id)
			}
		}
	}
	for i, id := range r.Allow {
		if slices.Contains(r.Forbid, id) {
			c.report(c.at(&r.Allow[i], r.Place), "inline: %s is both allowed and forbidden", id)
		}
	}
	if r.MaxDays < 0 {
		c.report(c.at(&r.MaxDays, r.Place), "inline: maxDays is %d; it can't be negative", r.MaxDays)
	}
}

// Inline says which findings of lint rules a comment in a definition may suppress; nil when the catalog does not say. What
// several parts say all has to be met: one can forbid what another allows.
func (c *Catalog) Inline() *InlineRule {
	if len(c.inlines) == 0 {
		return nil
	}
	first := c.inlines[0]
	all := *first
	all.Allow, all.Forbid = slices.Clone(first.Allow), slices.Clone(first.Forbid)
	for _, r := range c.inlines[1:] {
		all.Allow = slices.DeleteFunc(all.Allow, func(id string) bool { return !slices.Contains(r.Allow, id) || slices.Contains(r.Forbid, id) })
		all.Forbid = append(all.Forbid, r.Forbid...)
		if r.MaxDays > 0 && (all.MaxDays == 0 || r.MaxDays < all.MaxDays) {
			all.MaxDays = r.MaxDays
		}
		all.Hadolint, all.BuildKit = all.Hadolint && r.Hadolint, all.BuildKit && r.BuildKit
	}
	slices.Sort(all.Forbid)
	all.Forbid = slices.Compact(all.Forbid)
	return &all
}
