package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// whole checks what only the files together can show: duplicates, contradictions, loops.
func (c *compiler) whole() {
	delete(c.catalog.bases, "") // which was reported
	for _, bases := range c.catalog.bases {
		c.baseOverlaps(bases)
	}
	for _, substitutions := range c.catalog.substitutions {
		seen := map[string]finding.Place{}
		for _, s := range substitutions {
			from := s.From.String()
			if first, ok := seen[from]; ok {
				c.report(s.Place, "%s is moved twice, first at %s", from, first)
				continue
			}
			seen[from] = s.Place
		}
	}
	c.authority()
	if len(c.problems) == 0 { // targets that are wrong lead anywhere
		c.loops()
	}
	ids := map[string]finding.Place{}
	unique := func(id string, at finding.Place) {
		if first, ok := ids[id]; ok && id != "" {
			c.report(at, "id %q is there twice, first at %s", id, first)
			return
		}
		ids[id] = at
	}
	bans := map[string]*ban{}
	for _, b := range c.catalog.bans {
		unique(b.ID, b.Place)
		bans[b.ID] = b
		if b.replacement != nil && b.replacement.Tag != "" && b.replacement.Digest == "" &&
			(b.replacement.Repository == "" || b.replacement.Repository == b.Repository) && b.match.wide(b.replacement.Tag) == fitYes {
			c.report(b.Place, "the replacement %s is banned itself", b.replacement.Tag)
		}
	}
	for _, e := range c.catalog.exceptions {
		unique(e.ID, e.Place)
		switch b := bans[e.Scope.Ban]; {
		case e.Scope.Ban == "":
		case b == nil:
			c.report(e.Place, "exception from ban %q, which the catalog does not have", e.Scope.Ban)
		case b.part != e.part:
			c.report(e.Place, "exception from ban %q of %s, at %s; only the part that bans can make an exception from it", e.Scope.Ban, b.part.called(), b.Place)
		}
	}
	c.flush()
}

// baseOverlaps reports entries that say the same twice, or that an entry with state banned makes void.
func (c *compiler) baseOverlaps(bases []*base) {
	same := map[string][]*base{}
	for _, b := range bases {
		key := b.key()
		for _, first := range same[key] {
			if !intersect(b.Kinds, first.Kinds) || !intersect(b.Platforms, first.Platforms) {
				continue
			}
			if b.State == first.State {
				c.report(b.Place, "%s is listed twice, first at %s", b.Selector, first.Place)
			} else {
				c.report(b.Place, "%s is %s here and %s at %s", b.Selector, b.State, first.State, first.Place)
			}
			break
		}
		same[key] = append(same[key], b)
	}
	for _, banned := range bases {
		if banned.State != StateBanned {
			continue
		}
		for _, b := range bases {
			void := covers(banned.Platforms, b.Platforms) && b.key() != banned.key() && banned.match.contains(&b.match)
			if b.State != StateBanned && void {
				c.report(b.Place, "%s is %s here, and all of it is banned at %s", b.Selector, b.State, banned.Place)
			}
		}
	}
}

// key is the same for selectors that say the same.
func (s *Selector) key() string {
	return fmt.Sprintf("%q %q %q %q %v %q", s.Tags, s.Versions, s.Suffix, s.Prefix, s.Prereleases, s.Digests)
}

// intersect says whether two lists have something in common; an empty one means everything.
func intersect[T comparable](a, b []T) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(x T) bool { return slices.Contains(b, x) })
}

// covers says whether a has all of b; an empty list means everything.
func covers[T comparable](a, b []T) bool {
	return len(a) == 0 || len(b) > 0 && !slices.ContainsFunc(b, func(x T) bool { return !slices.Contains(a, x) })
}

// contains says whether everything that o selects is selected by m; it says no where it can't tell.
func (m *matcher) contains(o *matcher) bool {
	if len(m.Digests) > 0 && (len(o.Digests) == 0 || !covers(m.Digests, o.Digests)) {
		return false
	}
	if len(m.Tags) > 0 {
		for _, tag := range o.Tags {
			if !slices.Contains(m.Tags, tag) && (strings.ContainsAny(tag, `*?[\`) || !m.tagged(tag)) {
				return false
			}
		}
		if len(o.Tags) == 0 && !slices.Contains(m.Tags, "*") {
			return false
		}
	}
	if m.versions == nil {
		return true
	}
	if o.versions == nil || m.Suffix != "*" && m.Suffix != o.Suffix || m.Prefix != "*" && m.Prefix != o.Prefix || !m.Prereleases && o.Prereleases {
		return false
	}
	return m.versions.contains(o.versions)
}

// contains says whether every version in o is in r.
func (r *versionRange) contains(o *versionRange) bool {
	for _, points := range [][]*semver.Version{r.points, o.points} {
		for _, p := range points {
			if o.check.Check(p) && !r.check.Check(p) {
				return false
			}
		}
	}
	return true
}

// loops follows the substitutions whose targets are known without a registry, from something that each one matches.
func (c *compiler) loops() {
	told := map[*substitution]bool{}
	for _, repository := range slices.Sorted(maps.Keys(c.catalog.substitutions)) {
		for _, s := range c.catalog.substitutions[repository] {
			for _, ref := range s.examples() {
				c.loop(s, ref, told)
			}
		}
	}
}

func (c *compiler) loop(first *substitution, ref reference, told map[*substitution]bool) {
	seen := map[reference]bool{ref: true}
	var path []*substitution
	for range maxMoves {
		s := c.catalog.substitutionFor(ref)
		if s == nil || told[s] {
			return
		}
		next, ok := s.target.static(ref)
		if !ok || next == ref {
			return
		}
		path = append(path, s)
		if seen[next] {
			places := make([]string, 0, len(path))
			for _, p := range path {
				told[p] = true
				places = append(places, p.Place.String())
			}
			c.report(first.Place, "substitutions go round in a circle: %s comes back to %s (by way of %s)", ref.named(), next.named(), strings.Join(places, ", "))
			return
		}
		seen[next] = true
		ref = next
	}
}

// examples are references that the substitution matches, enough of them to see where it leads.
func (s *substitution) examples() []reference {
	repository := s.From.Repository
	var refs []reference
	for _, tag := range s.From.Tags {
		refs = append(refs, reference{repository: repository, tag: strings.NewReplacer("*", "x", "?", "x").Replace(tag)})
	}
	if s.from.versions != nil {
		prefix, suffix := strings.ReplaceAll(s.From.Prefix, "*", ""), strings.ReplaceAll(s.From.Suffix, "*", "")
		for _, p := range s.from.versions.points {
			if p.Patch() < unbounded && p.Minor() < unbounded && p.Major() < unbounded && s.from.versions.check.Check(p) {
				v := tagVersion{prefix: prefix, numbers: [3]uint64{p.Major(), p.Minor(), p.Patch()}, parts: 3, suffix: suffix}
				refs = append(refs, reference{repository: repository, tag: v.String()})
			}
		}
	}
	for _, digest := range s.From.Digests {
		refs = append(refs, reference{repository: repository, digest: digest})
	}
	if !s.From.named() {
		refs = append(refs, reference{repository: repository, tag: "latest"})
	}
	return refs
}

// finish gives the catalog its digest.
func (c *compiler) finish() (*Catalog, error) {
	digest, err := canonicalDigest(&c.catalog.doc)
	c.catalog.digest = digest
	return c.catalog, err
}
