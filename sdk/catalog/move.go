package catalog

import (
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

// substitutionFor is the first substitution that matches.
func (c *Catalog) substitutionFor(ref reference) *substitution {
	for _, s := range c.substitutions[ref.repository] {
		if s.from.narrow(ref.tag, ref.digest) == fitYes {
			return s
		}
	}
	return nil
}

// move follows substitutions, and replacements of bans that deny, to where they end. The result has its digest. What
// prevents the move is in v.
func (p *planner) move(ctx context.Context, in Input, asked reference, v *verdict) (move, error) {
	m := move{to: asked}
	var reasons []string
	seen := map[reference]bool{asked: true}
	for {
		t, reason, security, at, err := p.nextTarget(ctx, in, m.to)
		if err != nil {
			return m, err
		}
		if t == nil {
			break
		}
		next, ok, err := p.follow(ctx, in, t, m.to, security, v)
		if err != nil || v.denied != nil {
			return m, err
		}
		if !ok || next.named() == m.to.named() && (next.digest == "" || next.digest == m.to.digest) {
			break
		}
		if in.Role == RoleOnBuild {
			v.deny(RuleMoveFailed, at, "have the base rebuilt without it, or with the other image",
				"%s %q is to be moved to %s (%s), but a trigger in a base image can't be rewritten", what(in), asked.named(), next.named(), reason)
			return m, nil
		}
		v.note(at, "%s is moved to %s: %s", m.to.named(), next.named(), reason)
		if seen[next] {
			v.deny(RuleMoveFailed, at, "ask "+p.ask("")+" to mend the substitutions", "%s %q is moved round in a circle: back to %s", what(in), asked.named(), next.named())
			return m, nil
		}
		seen[next] = true
		reasons = append(reasons, reason)
		m.to, m.security = next, m.security || security
	}
	m.reason = strings.Join(reasons, "; ")
	return m, nil
}

// nextTarget says where an image is to be moved to, if at all.
func (p *planner) nextTarget(ctx context.Context, in Input, ref reference) (*target, string, bool, finding.Place, error) {
	if s := p.catalog.substitutionFor(ref); s != nil {
		return &s.target, s.Reason, s.Security, s.Place, nil
	}
	hits, err := p.bansOn(ctx, in, ref)
	if err != nil {
		return nil, "", false, finding.Place{}, err
	}
	for _, h := range hits {
		if h.effect == EffectDeny && h.ban.replacement != nil && p.banException(h.ban) == nil {
			return h.ban.replacement, h.ban.ID + ": " + h.ban.Reason, true, h.ban.Place, nil
		}
	}
	return nil, "", false, finding.Place{}, nil
}

// follow applies one target. It says no when there is nothing newer to move to.
func (p *planner) follow(ctx context.Context, in Input, t *target, ref reference, security bool, v *verdict) (reference, bool, error) {
	next, ok := t.static(ref)
	if !ok {
		var err error
		if next, ok, err = p.newest(ctx, in, t, ref, security, v); err != nil || !ok {
			return next, ok, err
		}
	}
	if next.digest == "" && in.Reachable {
		digest, err := p.facts.resolve(ctx, next)
		if err != nil {
			return next, false, fmt.Errorf("moving %s: %w", ref.named(), err)
		}
		next.digest = digest
	}
	return next, true, nil
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
	family, versioned := parseTag(ref.tag)
	type candidate struct {
		tag     string
		version tagVersion
	}
	var candidates []candidate
	for _, tag := range tags {
		version, ok := parseTag(tag)
		if !ok || version.pre != "" || !version.family(family) || versioned && version.compare(family) < 0 {
			continue
		}
		if low, high := version.span(); t.newest.covers(low, high) && p.listed(in, repository, tag) {
			candidates = append(candidates, candidate{tag, version})
		}
	}
	slices.SortFunc(candidates, func(a, b candidate) int {
		if c := b.version.compare(a.version); c != 0 {
			return c
		}
		return strings.Compare(a.tag, b.tag)
	})
	for _, c := range candidates[:min(len(candidates), maxTries)] {
		next := reference{repository: repository, tag: c.tag}
		if next.digest, err = p.facts.resolve(ctx, next); err != nil {
			return reference{}, false, err
		}
		attempt := &verdict{}
		if err := p.judge(ctx, in, next, security, attempt); err != nil {
			return reference{}, false, err
		}
		if attempt.denied == nil {
			return next, true, nil
		}
		v.note(finding.Place{}, "%s is passed over: %s", next.named(), attempt.denied.message)
	}
	v.note(finding.Place{}, "no tag of %s in %s is allowed and newer than %s", repository, t.Newest, ref.named())
	return reference{}, false, nil
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
	f := p.find(in, denial{rule: RuleMoved, message: message, help: "the build reads the other image; change the definition to match"})
	if text := d.token(); text != "" && editable(in) && in.Role != RoleFrontend {
		f.Fixes = []finding.Fix{{
			Message: "use " + text,
			Edits:   []finding.Edit{{File: in.Place.File, Start: in.Place.Start.Offset, End: in.Place.End.Offset, New: text}},
		}}
	}
}
