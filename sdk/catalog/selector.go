package catalog

import (
	"path"
	"slices"
)

// Selector names images of one repository. In entries, substitutions and exceptions all parts that are given must match,
// so that a selector allows too little rather than too much. In a ban any of Tags, Versions and Digests is enough.
type Selector struct {
	// Repository is the registry and path, spelled out: "docker.io/library/debian". It is compared as a whole.
	Repository string `json:"repository,omitempty"`
	// Tags are glob patterns: "*" is any run of characters, "?" one, "[a-c]" one of a set. Upper and lower case differ.
	Tags []string `json:"tags,omitempty"`
	// Versions is a semver range that tags are compared with: ">=1.4.8 <2", "^12.4", "1.4.x || >=1.6". A tag that floats over
	// several versions ("12") matches only when all of them are in the range.
	Versions string `json:"versions,omitempty"`
	// Suffix is the family that Versions is about, what follows the version in the tag: "alpine" for "1.4.8-alpine". It is a
	// glob pattern; "*" is every family. Default: tags without suffix; in a ban every family.
	Suffix string `json:"suffix,omitempty"`
	// Prefix is what stands before the version: "v" or nothing, or "*" for both. Default: nothing; in a ban both.
	Prefix string `json:"prefix,omitempty"`
	// Prereleases lets Versions match alpha, beta, rc and the like. Default: no; in a ban yes.
	Prereleases bool `json:"prereleases,omitempty"`
	// Digests are "sha256:..." of an index or a manifest, as definitions name them. A tag that is not in Tags or Versions
	// does not match even when its digest is listed; a reference without tag does.
	Digests []string `json:"digests,omitempty"`
}

// String describes the selector in one line: "docker.io/library/debian versions >=12 <13 suffix slim".
func (s Selector) String() string {
	text := s.Repository
	add := func(what string) {
		if text != "" {
			text += " "
		}
		text += what
	}
	for i, tag := range s.Tags {
		if i == 0 {
			add("tags " + tag)
		} else {
			text += ", " + tag
		}
	}
	if s.Versions != "" {
		add("versions " + s.Versions)
		if s.Prefix != "" {
			text += " prefix " + s.Prefix
		}
		if s.Suffix != "" {
			text += " suffix " + s.Suffix
		}
	}
	for i, digest := range s.Digests {
		if i == 2 && len(s.Digests) > 3 {
			text += ", ..."
			break
		}
		if i == 0 {
			add("digests " + digest)
		} else {
			text += ", " + digest
		}
	}
	return text
}

// named says whether the selector narrows its repository down at all.
func (s Selector) named() bool { return len(s.Tags)+len(s.Digests) > 0 || s.Versions != "" }

// fit is how a reference matches a selector.
type fit int

const (
	fitNo     fit = iota
	fitPartly     // the tag floats over versions of which some match
	fitYes
)

// matcher is a selector ready for use. Its repository is compared by whoever looks it up.
type matcher struct {
	Selector
	versions *versionRange
}

// narrow matches for entries, substitutions and exceptions: everything that is given must match.
func (m *matcher) narrow(tag, digest string) fit {
	if len(m.Digests) > 0 {
		if !slices.Contains(m.Digests, digest) {
			return fitNo
		}
		if tag == "" {
			return fitYes
		}
	}
	if tag == "" && (len(m.Tags) > 0 || m.versions != nil) {
		return fitNo
	}
	if len(m.Tags) > 0 && !m.tagged(tag) {
		return fitNo
	}
	if m.versions == nil {
		return fitYes
	}
	t, ok := parseTag(tag)
	if !ok || !glob(m.Prefix, t.prefix) || !glob(m.Suffix, t.suffix) || t.pre != "" && !m.Prereleases {
		return fitNo
	}
	low, high := t.span()
	switch {
	case t.pre != "" && !m.versions.check.Check(newVersion(t.numbers, "")):
		return fitNo // 2.0.0-rc.1 sorts below 2.0.0, and is still no part of "<2"
	case m.versions.covers(low, high):
		return fitYes
	case t.parts < 3 && m.versions.overlaps(low, high):
		return fitPartly
	}
	return fitNo
}

// wide matches for bans: anything that is given may match. Digests are looked at by who knows all of an image's.
func (m *matcher) wide(tag string) fit {
	if !m.named() {
		return fitYes
	}
	if tag == "" {
		return fitNo
	}
	if m.tagged(tag) {
		return fitYes
	}
	t, ok := parseTag(tag)
	if m.versions == nil || !ok || !glob(m.Prefix, t.prefix) || !glob(m.Suffix, t.suffix) || t.pre != "" && !m.Prereleases {
		return fitNo
	}
	low, high := t.span()
	if t.pre != "" {
		high = low // "12.9-rc1" is before 12.9.0, not any of its patches
	}
	switch {
	case m.versions.covers(low, high), t.pre != "" && m.versions.check.Check(newVersion(t.numbers, "")):
		return fitYes
	case m.versions.overlaps(low, high):
		return fitPartly
	}
	return fitNo
}

func (m *matcher) tagged(tag string) bool {
	return slices.ContainsFunc(m.Tags, func(pattern string) bool { return glob(pattern, tag) })
}

// glob matches a pattern whose form was checked when the catalog was loaded.
func glob(pattern, s string) bool {
	ok, err := path.Match(pattern, s)
	return ok && err == nil
}
