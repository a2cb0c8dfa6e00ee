package catalog

import (
	"slices"
	"strings"
)

// help is the way out of a denial: what is allowed instead, nearest first, and whom to ask.
func (p *planner) help(in Input, ref reference) string {
	owner := ""
	var options []string
	for _, b := range p.alternatives(in, ref.repository) {
		options = append(options, b.Selector.String()+" ("+b.Place.String()+")")
		owner = b.Owner
	}
	if len(options) > 0 {
		return "allowed: " + strings.Join(options, "; ") + "; for an exception ask " + p.ask(owner)
	}
	var near []string
	for _, repository := range p.nearRepositories(in, ref.repository) {
		for _, b := range p.alternatives(in, repository) {
			near = append(near, b.Selector.String()+" ("+b.Place.String()+")")
		}
	}
	if len(near) > 0 {
		return "nearest in the catalog: " + strings.Join(near[:min(3, len(near))], "; ") + "; for an exception ask " + p.ask("")
	}
	return "for an entry or an exception ask " + p.ask("")
}

// alternatives are up to three entries of a repository that are good for the same use now, the preferred first.
func (p *planner) alternatives(in Input, repository string) []*base {
	platform, err := parsePlatform(in.Platform)
	var out []*base
	for _, b := range p.catalog.bases[repository] {
		onPlatform := err != nil || len(b.Platforms) == 0 || slices.Contains(b.Platforms, platform)
		if onPlatform && b.State != StateBanned && !p.deprecated(b) && b.serves(in) {
			out = append(out, b)
		}
	}
	slices.SortStableFunc(out, func(a, b *base) int { return p.rank(a) - p.rank(b) })
	return out[:min(3, len(out))]
}

// nearRepositories are up to three repositories whose names are like one that is not listed: the same last part
// somewhere else, or a few letters off.
func (p *planner) nearRepositories(in Input, repository string) []string {
	_, last, _ := cutLast(repository, "/")
	type candidate struct {
		repository string
		distance   int
	}
	var found []candidate
	limit := max(3, len(last)/3+1)
	for other := range p.catalog.bases {
		_, otherLast, _ := cutLast(other, "/")
		if d := editDistance(last, otherLast, limit); d < limit && len(p.alternatives(in, other)) > 0 {
			found = append(found, candidate{other, d})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		if a.distance != b.distance {
			return a.distance - b.distance
		}
		return strings.Compare(a.repository, b.repository)
	})
	names := make([]string, 0, 3)
	for _, c := range found[:min(3, len(found))] {
		names = append(names, c.repository)
	}
	return names
}

// ask names whom to ask, with the way to reach them where the catalog knows it.
func (p *planner) ask(owner string) string { return p.catalog.contact(owner) }

func (c *Catalog) contact(owner string) string {
	if owner == "" {
		owner = c.doc.Owner
	}
	if owner == "" {
		return "the owners of the catalog"
	}
	if how := c.doc.Owners[owner]; how != "" {
		return owner + " (" + how + ")"
	}
	return owner
}
