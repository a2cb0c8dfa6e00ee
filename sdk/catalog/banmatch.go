package catalog

import (
	"slices"
	"strings"
)

// BanMatcher is a ban with the question what it names, for those who ask without a definition at hand: who compiles a
// deny bundle, previews a ban over a lineage index, or sweeps what runs. It is immutable and safe for concurrent use.
//
// A ban names images in up to three ways, and any of them is enough: by name ([BanMatcher.Names]), by digest
// ([Selector.Digests], wherever the image was copied to), and by a package that they carry (Ban.Package, narrowed down by
// Repository; package blackbox/packages compares the versions).
type BanMatcher struct {
	Ban
	match matcher
}

// Bans returns the bans of the catalog in the order of its files: those that are in effect, those to come and those that
// were lifted. [Ban.Effect] tells them apart.
func (c *Catalog) Bans() []BanMatcher {
	out := make([]BanMatcher, 0, len(c.bans))
	for _, b := range c.bans {
		out = append(out, BanMatcher{b.Ban, b.match})
	}
	return out
}

// Names says whether the ban names an image by its repository and, if it gives any, its tags or versions. ref is a full
// reference, "docker.io/library/debian:12.8"; a digest in it counts too. A reference that can't be read is an error.
//
// A tag that floats ("12") is named only if every version that it may stand for is: what it means now is known by its
// digest, so ask by the tags that the digest has, or by those digests that the banned tags mean.
func (b *BanMatcher) Names(ref string) (bool, error) {
	r, err := parseReference(ref)
	if err != nil {
		return false, err
	}
	return b.names(r), nil
}

func (b *BanMatcher) names(r reference) bool {
	if r.digest != "" && slices.Contains(b.Digests, r.digest) {
		return true
	}
	return b.Package == nil && b.Repository == r.repository && b.match.wide(r.tag) == fitYes
}

// NamesTag says whether the ban names tag of its repository. Of a ban of digests, packages or whole repositories it says
// no: those need no list of tags.
func (b *BanMatcher) NamesTag(tag string) bool {
	return b.Package == nil && b.Repository != "" && (len(b.Tags) > 0 || b.Versions != "") && b.match.wide(tag) == fitYes
}

// Whole says whether the ban names everything in its repository.
func (b *BanMatcher) Whole() bool { return b.Package == nil && b.Repository != "" && !b.named() }

// Describe says in one line what the ban names: "docker.io/library/debian versions <12.9", "deb libssl3 below 3.0.14-1".
func (b *Ban) Describe() string {
	var parts []string
	if b.Package != nil {
		parts = append(parts, b.Package.String())
	}
	if s := b.String(); s != "" {
		parts = append(parts, s)
	}
	return strings.Join(parts, " in ")
}
