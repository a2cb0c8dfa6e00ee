package catalog

import (
	"slices"
	"strings"
)

// maxOptions is how many entries help names.
const maxOptions = 3

// help is the way out of a denial: what is allowed instead, nearest first, and whom to ask.
func (p *planner) help(in Input, ref reference) string {
	if same := p.alternatives(in, ref.repository); len(same) > 0 {
		return "allowed: " + options(same) + "; for an exception ask " + p.ask(same[0].Owner)
	}
	var near []*base
	for _, repository := range p.nearRepositories(in, ref.repository) {
		near = append(near, p.alternatives(in, repository)...)
	}
	if len(near) > 0 {
		return "nearest in the catalog: " + options(near) + "; for an exception ask " + p.ask("")
	}
	var others []*base
	for _, b := range p.catalog.doc.Bases {
		if all := p.alternatives(in, b.Repository); len(all) > 0 && !slices.Contains(others, all[0]) {
			others = append(others, all[0])
		}
		if len(others) == maxOptions {
			break
		}
	}
	if len(others) > 0 {
		return "in the catalog are: " + options(others) + "; for an exception ask " + p.ask("")
	}
	return "for an entry or an exception ask " + p.ask("")
}

func options(bases []*base) string {
	var texts []string
	for _, b := range bases[:min(maxOptions, len(bases))] {
		texts = append(texts, b.String()+" ("+b.Place.String()+")")
	}
	return strings.Join(texts, "; ")
}

// alternatives are the entries of a repository that are good for the same use now, the preferred first.
func (p *planner) alternatives(in Input, repository string) []*base {
	platform, err := parsePlatform(in.Platform)
	var out []*base
	for _, b := range p.catalog.bases[repository] {
		if (err != nil || b.on(platform)) && b.State != StateBanned && !p.deprecated(b) && b.serves(in) {
			out = append(out, b)
		}
	}
	slices.SortStableFunc(out, func(a, b *base) int { return p.rank(a) - p.rank(b) })
	return out
}

// nearRepositories are a few repositories whose names are like one that is not listed: the same last part
// somewhere else, or a few letters off.
func (p *planner) nearRepositories(in Input, repository string) []string {
	_, last := cutLast(repository)
	type candidate struct {
		repository string
		distance   int
	}
	var found []candidate
	limit := max(3, len(last)/3+1)
	for other := range p.catalog.bases {
		_, otherLast := cutLast(other)
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
	names := make([]string, 0, maxOptions)
	for _, c := range found[:min(maxOptions, len(found))] {
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
