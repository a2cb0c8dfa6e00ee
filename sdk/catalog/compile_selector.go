package catalog

import (
	"path"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// selector checks a selector and makes it ready.
func (c *compiler) selector(s *Selector, place finding.Place, what string) matcher {
	if c.need(&s.Repository, s.Repository, place, what, "repository") {
		c.repository(&s.Repository, place)
	}
	return c.selection(s, place)
}

// selection is what a selector says beside the repository.
func (c *compiler) selection(s *Selector, place finding.Place) matcher {
	m := matcher{}
	notEmpty(c, &s.Tags, "tags")
	notEmpty(c, &s.Digests, "digests")
	for i, pattern := range s.Tags {
		at := c.at(&s.Tags[i], place)
		if c.pattern(&s.Tags[i], pattern, "tag") && (len(pattern) > 128 || strings.Trim(pattern, tagCharacters+`*?[]^\`) != "") {
			c.report(at, "tag %q can match no tag: tags have letters, digits, \"_\", \".\" and \"-\"", clip(pattern))
		}
	}
	if s.Versions != "" {
		var err error
		if m.versions, err = parseRange(s.Versions); err != nil {
			c.report(c.at(&s.Versions, place), "versions: %v", err)
		}
	} else if c.anyOf(&s.Suffix, &s.Prefix, &s.Prereleases) && !c.has(&s.Versions) {
		c.report(place, "suffix, prefix and prereleases go with versions")
	}
	if s.Suffix != "" {
		c.pattern(&s.Suffix, s.Suffix, "suffix")
		if strings.HasPrefix(s.Suffix, "-") {
			c.report(c.at(&s.Suffix, place), "suffix %q: write it without the dash in front", clip(s.Suffix))
		}
	}
	if s.Prefix != "" && s.Prefix != "v" && s.Prefix != "*" {
		c.report(c.at(&s.Prefix, place), "prefix %q is neither \"v\" nor \"*\"", clip(s.Prefix))
	}
	for i, digest := range s.Digests {
		if !validDigest(digest) && !c.reported(c.at(&s.Digests[i], place)) {
			c.report(c.at(&s.Digests[i], place), "digest %q is not sha256: and 64 hex digits in lower case", clip(digest))
		}
	}
	m.Selector = *s
	return m
}

const tagCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

// pattern checks a glob pattern.
func (c *compiler) pattern(ptr *string, pattern, what string) bool {
	at := c.at(ptr, finding.Place{})
	if c.reported(at) {
		return false
	}
	if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
		c.report(at, "%s %q is not a pattern (\"*\", \"?\" and \"[a-c]\" have a meaning)", what, clip(pattern))
		return false
	}
	return true
}

func (c *compiler) repository(ptr *string, place finding.Place) {
	if _, err := parseRepository(*ptr); err != nil {
		c.report(c.at(ptr, place), "%v", err)
	}
}

// target is a [Target] ready for use.
type target struct {
	Target
	version *tagVersion
	newest  *versionRange
}

func (c *compiler) target(t *Target, place finding.Place) target {
	out := target{}
	ways := 0
	for _, way := range []string{t.Tag, t.Version, t.Newest} {
		if way != "" {
			ways++
		}
	}
	switch {
	case c.anyOf(&t.Tag, &t.Version, &t.Newest) && ways == 0: // empty ones were reported
	case ways == 0 && t.Repository == "" && t.Digest == "":
		c.report(place, "the target has no tag, version, newest, digest or repository")
	case ways > 1:
		c.report(place, "the target has more than one of tag, version and newest")
	case t.Digest != "" && (t.Version != "" || t.Newest != ""):
		c.report(place, "a digest goes with a tag, not with version or newest")
	}
	if t.Repository != "" {
		c.repository(&t.Repository, place)
	}
	if t.Tag != "" && (len(t.Tag) > 128 || strings.Trim(t.Tag, tagCharacters) != "" || strings.ContainsAny(t.Tag[:1], ".-")) {
		c.report(c.at(&t.Tag, place), "%q is not a tag", clip(t.Tag))
	}
	if t.Version != "" {
		v, ok := parseTag(t.Version)
		if !ok || v.prefix != "" || v.suffix != "" {
			c.report(c.at(&t.Version, place), "version %q is not a version such as 10.4.9; for a whole tag use tag", clip(t.Version))
		}
		out.version = &v
	}
	if t.Newest != "" {
		var err error
		if out.newest, err = parseRange(t.Newest); err != nil {
			c.report(c.at(&t.Newest, place), "newest: %v", err)
		}
	}
	if t.Digest != "" && !validDigest(t.Digest) {
		c.report(c.at(&t.Digest, place), "digest %q is not sha256: and 64 hex digits in lower case", clip(t.Digest))
	}
	out.Target = *t
	return out
}
