package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// move is where substitutions and replacements of bans lead an image.
type move struct {
	to       reference
	reason   string
	security bool
}

// maxMoves is how many substitutions may follow on each other.
const maxMoves = 20

// substitutionFor is the first substitution that matches.
func (c *Catalog) substitutionFor(ref reference) *substitution {
	for _, s := range c.substitutions[ref.repository] {
		if s.from.narrow(ref.tag, ref.digest) == fitYes {
			return s
		}
	}
	return nil
}

// move follows substitutions, and replacements of bans that deny, to where they end. Only what it ends at is looked up:
// what lies between may be gone from its registry. What prevents the move is in v.
func (p *planner) move(ctx context.Context, in Input, asked reference, v *verdict) (move, error) {
	m := move{to: asked}
	var reasons []string
	seen := map[reference]bool{asked: true}
	for {
		h, err := p.nextHop(ctx, in, m.to, v)
		if err != nil {
			return m, err
		}
		if h == nil {
			if m.to.digest != "" || m.to == asked || !in.Reachable {
				break
			}
			if m.to.digest, err = p.facts.resolve(ctx, m.to); err != nil {
				return m, fmt.Errorf("moving %s: %w", asked.named(), err)
			}
			continue // there may be more for this digest
		}
		v.note(h.place, "%s is moved to %s: %s", m.to.named(), h.to.named(), h.reason)
		switch {
		case !editable(in):
			v.deny(RuleMoveFailed, h.place, unmovable(in),
				"%s %q is to be moved to %s (%s), and no word of the definition says it", what(in), asked.named(), h.to.named(), h.reason)
			return m, nil
		case seen[h.to] || len(seen) > maxMoves:
			v.deny(RuleMoveFailed, h.place, "ask "+p.ask("")+" to mend the substitutions",
				"%s %q is moved round in a circle, by way of %s", what(in), asked.named(), h.to.named())
			return m, nil
		}
		seen[h.to] = true
		reasons = append(reasons, h.reason)
		m.to, m.security = h.to, m.security || h.security
	}
	m.reason = strings.Join(reasons, "; ")
	return m, nil
}

// unmovable is the way out for an image that is not named in the definition.
func unmovable(in Input) string {
	if in.Role == RoleOnBuild {
		return "have the base rebuilt with the other image in its ONBUILD"
	}
	return "give the other image to the build"
}

// hop is one step of a move.
type hop struct {
	to       reference
	reason   string
	security bool
	place    finding.Place
}

// nextHop says where an image is to be moved to: by the first substitution that matches, or else by the replacement of a
// ban. Nil means that it stays.
func (p *planner) nextHop(ctx context.Context, in Input, ref reference, v *verdict) (*hop, error) {
	if s := p.catalog.substitutionFor(ref); s != nil {
		h, err := p.follow(ctx, in, &s.target, ref, hop{reason: s.Reason, security: s.Security, place: s.Place}, v)
		if err != nil || h != nil {
			return h, err
		}
	}
	b, err := p.replacing(ctx, in, ref)
	if err != nil || b == nil {
		return nil, err
	}
	security := p.catalog.mayHurry(b.part, cmp.Or(b.replacement.Repository, ref.repository))
	return p.follow(ctx, in, b.replacement, ref, hop{reason: b.ID + ": " + b.Reason, security: security, place: b.Place}, v)
}

// follow applies a target. It returns nil when that leads to the same image.
func (p *planner) follow(ctx context.Context, in Input, to *target, ref reference, h hop, v *verdict) (*hop, error) {
	var ok bool
	var err error
	if h.to, ok = to.static(ref); !ok {
		if h.to, ok, err = p.newest(ctx, in, to, ref, h.security, v); err != nil || !ok {
			return nil, err
		}
	}
	if h.to.named() == ref.named() && (h.to.digest == "" || h.to.digest == ref.digest) {
		return nil, nil
	}
	return &h, nil
}

// replacing is the ban in force on an image that names a replacement for it.
func (p *planner) replacing(ctx context.Context, in Input, ref reference) (*ban, error) {
	hits, err := p.bansOn(ctx, in, ref)
	for _, h := range hits {
		if h.effect == EffectDeny && h.ban.replacement != nil && p.banException(h.ban) == nil {
			return h.ban, err
		}
	}
	return nil, err
}

// static is where a reference goes when no registry has to be asked. It has a digest only if the target says one or the
// reference is known by its digest alone. It says no for newest.
func (t *target) static(ref reference) (reference, bool) {
	next := reference{repository: ref.repository, tag: ref.tag}
	if t.Repository != "" {
		next.repository = t.Repository
	}
	switch {
	case t.newest != nil:
		return reference{}, false
	case t.Tag != "":
		next.tag = t.Tag
	case t.version != nil:
		family, _ := parseTag(ref.tag)
		next.tag = family.prefix + t.Version
		if family.suffix != "" {
			next.tag += "-" + family.suffix
		}
	case t.Digest != "":
		next.tag = ""
	case ref.tag == "":
		next.digest = ref.digest
	}
	if t.Digest != "" {
		next.digest = t.Digest
	}
	return next, true
}

// maxTries is how many tags newest looks at, from the newest down, before it gives up.
const maxTries = 50

// newest picks the newest tag of the family that is in the target's range and that the catalog allows.
func (p *planner) newest(ctx context.Context, in Input, t *target, ref reference, security bool, v *verdict) (reference, bool, error) {
	repository := ref.repository
	if t.Repository != "" {
		repository = t.Repository
	}
	if !in.Reachable {
		return reference{}, false, nil
	}
	tags, err := p.facts.tags(ctx, repository)
	if err != nil {
		return reference{}, false, err
	}
	tries := 0
	for _, tag := range newer(tags, ref.tag) {
		low, high := tag.version.span()
		if !t.newest.covers(low, high) || !p.listed(in, repository, tag.text) {
			continue
		}
		if tries++; tries > maxTries {
			break
		}
		next := reference{repository: repository, tag: tag.text}
		if next.digest, err = p.facts.resolve(ctx, next); err != nil {
			return reference{}, false, err
		}
		attempt := &verdict{}
		if err := p.judge(ctx, in, next, security, attempt); err != nil {
			return reference{}, false, err
		}
		switch {
		case attempt.denied != nil:
			v.note(finding.Place{}, "%s is passed over: %s", next.named(), attempt.denied.message)
		case attempt.granted:
			return next, true, nil
		}
	}
	v.note(finding.Place{}, "no tag of %s in %s is allowed and newer than %s", repository, t.Newest, ref.named())
	return reference{}, false, nil
}

// candidate is a tag that is a version.
type candidate struct {
	text    string
	version tagVersion
}

// newer are the releases among tags that are of the same family as a tag and not older, the newest first.
func newer(tags []string, than string) []candidate {
	family, versioned := parseTag(than)
	var out []candidate
	for _, text := range tags {
		version, ok := parseTag(text)
		if ok && version.pre == "" && version.family(family) && (!versioned || version.compare(family) >= 0) {
			out = append(out, candidate{text, version})
		}
	}
	slices.SortFunc(out, func(a, b candidate) int {
		if c := b.version.compare(a.version); c != 0 {
			return c
		}
		return strings.Compare(a.text, b.text)
	})
	return out
}

// listed says whether an entry that is not deprecated may allow a tag, whatever its digest.
func (p *planner) listed(in Input, repository, tag string) bool {
	for _, b := range p.catalog.bases[repository] {
		digest := ""
		if len(b.Digests) > 0 {
			digest = b.Digests[0]
		}
		if b.State != StateBanned && !p.deprecated(b) && b.serves(in) && b.match.narrow(tag, digest) == fitYes {
			return true
		}
	}
	return false
}

// tellMove adds the finding about a move, with the edit that makes it lasting.
func (p *planner) tellMove(in Input, d *Decision, ref reference, m move) {
	message := fmt.Sprintf("%s %q is moved to %s@%s: %s", what(in), in.Ref, ref.named(), ref.digest, m.reason)
	if ref.digest == "" || ref.tag == "" {
		message = fmt.Sprintf("%s %q is moved to %s: %s", what(in), in.Ref, ref, m.reason)
	}
	if in.Role == RoleFrontend {
		p.find(in, denial{rule: RuleMoved, message: message, help: "the builder uses its own frontend; the line may go"})
		return
	}
	f := p.find(in, denial{rule: RuleMoved, message: message, help: "the build reads the other image; change the definition to match"})
	if text := d.token(); text != "" {
		f.Fixes = []finding.Fix{{
			Message: "use " + text,
			Edits:   []finding.Edit{{File: in.Place.File, Start: in.Place.Start.Offset, End: in.Place.End.Offset, New: text}},
		}}
	}
}
