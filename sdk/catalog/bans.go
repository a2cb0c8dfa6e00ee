package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Effect is what a ban does at a time.
type Effect string

// The effects.
const (
	EffectNone   Effect = ""       // not yet
	EffectWarn   Effect = "warn"   // uses are warnings
	EffectDeny   Effect = "deny"   // uses are refused
	EffectLifted Effect = "lifted" // no more
)

// Effect says what the ban does at a time.
func (b *Ban) Effect(at time.Time) Effect {
	switch {
	case b.Lifted != nil && b.Lifted.At.begun(at):
		return EffectLifted
	case b.DenyFrom.begun(at):
		return EffectDeny
	case b.WarnFrom.begun(at):
		return EffectWarn
	}
	return EffectNone
}

// hit is a ban that concerns an image.
type hit struct {
	ban    *ban
	effect Effect
	how    string // "its tag", "it is the same image as tag 12.8"
}

// judgeBans denies what is banned and warns of what will be.
func (p *planner) judgeBans(ctx context.Context, in Input, ref reference, v *verdict) error {
	hits, err := p.bansOn(ctx, in, ref)
	if err != nil {
		return err
	}
	for _, h := range hits {
		if e := p.banException(h.ban); e != nil {
			p.use(in, e, v)
			continue
		}
		message := fmt.Sprintf("%s %q is banned by %s (%s): %s", what(in), ref.named(), h.ban.ID, h.how, h.ban.Reason)
		if h.ban.Advisory != "" {
			message += " (" + h.ban.Advisory + ")"
		}
		if h.effect == EffectWarn {
			warning := denial{RuleBanAnnounced, fmt.Sprintf("%s; from %s on it is refused", message, h.ban.DenyFrom), p.banHelp(in, ref, h.ban), h.ban.Place}
			v.warnings = append(v.warnings, warning)
			v.note(h.ban.Place, "%s", warning.message)
			continue
		}
		v.ban = h.ban
		v.deny(RuleBanned, h.ban.Place, p.banHelp(in, ref, h.ban), "%s", message)
		return nil
	}
	return nil
}

func (p *planner) banHelp(in Input, ref reference, b *ban) string {
	help := p.help(in, ref)
	if r := b.replacement; r != nil {
		help = "it is replaced by " + r.String() + "; " + help
	}
	return help + "; the ban is " + b.Author + "'s, approved by " + b.Approver
}

// bansOn lists the bans in effect on an image, denials first.
func (p *planner) bansOn(ctx context.Context, in Input, ref reference) ([]hit, error) {
	var hits []hit
	for _, b := range p.catalog.bans {
		effect := b.Effect(p.question.At)
		if effect != EffectDeny && effect != EffectWarn || b.Repository != "" && b.Repository != ref.repository && len(b.Digests) == 0 {
			continue
		}
		how, err := p.banned(ctx, in, ref, b)
		if err != nil {
			return nil, fmt.Errorf("ban %s: %w", b.ID, err)
		}
		if how != "" {
			hits = append(hits, hit{ban: b, effect: effect, how: how})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		return strings.Compare(string(a.effect), string(b.effect)) // "deny" is before "warn"
	})
	return hits, nil
}

// banned says how a ban concerns an image, "" when it doesn't.
func (p *planner) banned(ctx context.Context, in Input, ref reference, b *ban) (how string, err error) {
	known := in.Reachable && ref.digest != "" // facts can be asked about it
	if b.Package != nil {
		if !known || b.Repository != "" && b.Repository != ref.repository {
			return "", nil
		}
		carries, err := p.facts.carries(ctx, ref, in.Platform, *b.Package)
		if err != nil || !carries {
			return "", err
		}
		return "it carries " + b.Package.String(), nil
	}
	if ref.digest != "" && slices.Contains(b.Digests, ref.digest) {
		return "its digest", nil // wherever it was copied to
	}
	if len(b.Digests) > 0 && known {
		image, err := p.facts.config(ctx, ref, in.Platform)
		if err != nil {
			return "", err
		}
		if slices.Contains(b.Digests, image.Manifest) {
			return "the digest of its " + in.Platform + " manifest", nil
		}
	}
	if b.Repository != ref.repository {
		return "", nil
	}
	switch fit := b.match.wide(ref.tag); {
	case !b.named():
		return "its repository", nil
	case fit == fitYes:
		return "its tag", nil
	case len(b.Digests) > 0 || !known:
		return "", nil
	}
	return p.alias(ctx, ref, func(tag string) bool { return b.match.wide(tag) == fitYes })
}

// judgeBannedState denies what an entry with state banned names.
func (p *planner) judgeBannedState(ctx context.Context, in Input, ref reference, v *verdict) error {
	platform, _ := parsePlatform(in.Platform)
	for _, b := range p.catalog.bases[ref.repository] {
		if b.State != StateBanned || !b.on(platform) {
			continue
		}
		how := ""
		if b.match.narrow(ref.tag, ref.digest) == fitYes {
			how = "its entry says so"
		} else if len(b.Digests) == 0 && in.Reachable && ref.digest != "" {
			var err error
			if how, err = p.alias(ctx, ref, func(tag string) bool { return b.match.narrow(tag, "") == fitYes }); err != nil {
				return fmt.Errorf("%s: banned entry: %w", b.Place, err)
			}
		}
		if how != "" {
			v.entry = b
			v.deny(RuleBanned, b.Place, p.help(in, ref), "%s %q is banned (%s)%s", what(in), ref.named(), how, note(b))
			return nil
		}
	}
	return nil
}

// Limits of asking what the tags of a ban mean.
const (
	maxBannedTags = 1000
	resolvers     = 8
)

// alias looks for a banned tag that names the same image: the reference may have another tag, one that floats, or none.
func (p *planner) alias(ctx context.Context, ref reference, banned func(tag string) bool) (how string, err error) {
	all, err := p.facts.tags(ctx, ref.repository)
	if err != nil {
		return "", err
	}
	tags := slices.DeleteFunc(slices.Clone(all), func(tag string) bool { return !banned(tag) })
	if len(tags) > maxBannedTags {
		return "", fmt.Errorf("it names %d tags of %s, too many to compare with; list digests in it instead", len(tags), ref.repository)
	}
	slices.Sort(tags)
	digests, errs := make([]string, len(tags)), make([]error, len(tags))
	var wait sync.WaitGroup
	for worker := range min(resolvers, len(tags)) {
		wait.Go(func() {
			for i := worker; i < len(tags) && ctx.Err() == nil; i += resolvers {
				digests[i], errs[i] = p.facts.resolve(ctx, reference{repository: ref.repository, tag: tags[i]})
			}
		})
	}
	wait.Wait()
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return "", err
	}
	if i := slices.Index(digests, ref.digest); i >= 0 {
		return "it is the same image as tag " + tags[i], nil
	}
	return "", nil
}

// BansOn returns the bans that are in effect on an image at a time, as far as that can be told from its name, for those
// who ask without a definition: a start check or a sweep. ref is a full reference, digests all that the image is known
// by (index, manifest, config).
func (c *Catalog) BansOn(ref string, digests []string, at time.Time) ([]Ban, error) {
	r, err := parseReference(ref)
	if err != nil {
		return nil, err
	}
	var out []Ban
	for _, b := range c.Bans() {
		if effect := b.Effect(at); effect != EffectDeny && effect != EffectWarn || b.Package != nil {
			continue
		}
		if b.names(r) || slices.ContainsFunc(digests, func(d string) bool { return d != "" && slices.Contains(b.Digests, d) }) {
			out = append(out, b.Ban)
		}
	}
	return out, nil
}
