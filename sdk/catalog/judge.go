package catalog

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// judge asks bans and entries about one resolved image. security lets it be younger than its cool-down. What denies it
// is in v afterwards.
func (p *planner) judge(ctx context.Context, in Input, ref reference, security bool, v *verdict) error {
	if err := p.judgeBans(ctx, in, ref, v); err != nil || v.denied != nil {
		return err
	}
	if err := p.judgeBannedState(ctx, in, ref, v); err != nil || v.denied != nil {
		return err
	}
	candidates := p.candidates(in, ref, v)
	for _, b := range candidates {
		attempt := &verdict{entry: b}
		if err := p.judgeEntry(ctx, in, ref, b, security, attempt); err != nil {
			return err
		}
		if attempt.denied != nil && v.denied != nil {
			continue // the first, the best entry, has told why not
		}
		v.entry, v.denied = b, attempt.denied
		v.evidence = append(v.evidence, attempt.evidence...)
		if attempt.denied == nil {
			v.granted = true
			v.warnings = append(v.warnings, attempt.warnings...)
			return nil
		}
	}
	return nil
}

// candidates are the entries that may allow the image, best first, or none when v says why.
func (p *planner) candidates(in Input, ref reference, v *verdict) []*base {
	bases := p.catalog.bases[ref.repository]
	if len(bases) == 0 {
		v.deny(RuleNotListed, finding.Place{}, p.help(in, ref), "%s %q: repository %s is not in the catalog", what(in), ref.named(), ref.repository)
		return nil
	}
	var matching []*base
	var floats *base
	for _, b := range bases {
		if b.State == StateBanned {
			continue
		}
		switch b.match.narrow(ref.tag, ref.digest) {
		case fitYes:
			matching = append(matching, b)
		case fitPartly:
			floats = b
		}
	}
	switch {
	case len(matching) > 0:
	case floats != nil:
		v.deny(RuleNotListed, floats.Place, p.help(in, ref), "%s %q: tag %s may mean versions outside of %s", what(in), ref.named(), ref.tag, floats.Versions)
		return nil
	case ref.tag == "":
		v.deny(RuleNotListed, finding.Place{}, "write name:tag@digest, so that the tag can be checked; "+p.help(in, ref),
			"%s %q is pinned without a tag and no entry lists the digest", what(in), ref)
		return nil
	default:
		v.deny(RuleNotListed, finding.Place{}, p.help(in, ref), "%s %q: tag %s of %s is not in the catalog", what(in), ref.named(), ref.tag, ref.repository)
		return nil
	}
	return p.usable(in, ref, matching, v)
}

// usable leaves out the entries that are for something else or whose time is over.
func (p *planner) usable(in Input, ref reference, matching []*base, v *verdict) []*base {
	platform, _ := parsePlatform(in.Platform)
	kind := neededKind(in)
	steps := []struct {
		keep func(*base) bool
		deny func(*base)
	}{
		{func(b *base) bool { return b.serves(in) }, func(b *base) {
			v.deny(RuleKind, b.Place, p.help(in, ref), "%s %q is listed as %s, and is used here as %s", what(in), ref.named(), b.kinds(), kind)
		}},
		{func(b *base) bool { return b.on(platform) }, func(b *base) {
			v.deny(RulePlatform, b.Place, p.help(in, ref), "%s %q is listed for %s, not for %s", what(in), ref.named(), strings.Join(b.Platforms, ", "), platform)
		}},
		{func(b *base) bool { return b.State != StateDeprecated || !b.Until.ended(p.question.At) }, func(b *base) {
			v.deny(RuleRetired, b.Place, p.help(in, ref), "%s %q was deprecated and could be used until %s%s", what(in), ref.named(), b.Until, note(b))
		}},
	}
	for _, step := range steps {
		var kept []*base
		for _, b := range matching {
			if step.keep(b) {
				kept = append(kept, b)
			}
		}
		if len(kept) == 0 {
			v.entry = matching[0]
			step.deny(matching[0])
			return nil
		}
		matching = kept
	}
	slices.SortStableFunc(matching, func(a, b *base) int { return p.rank(a) - p.rank(b) })
	return matching
}

// rank orders entries that all allow an image: the preferred first, the deprecated last.
func (p *planner) rank(b *base) int {
	switch {
	case b.State == StatePreferred:
		return 0
	case b.State == StateDeprecated && p.deprecated(b):
		return 2
	}
	return 1
}

// deprecated says whether a deprecated entry already is; without a date it is at once.
func (p *planner) deprecated(b *base) bool {
	return b.State == StateDeprecated && (b.Since.IsZero() || b.Since.begun(p.question.At))
}

// judgeEntry checks what one matching entry demands of the image itself.
func (p *planner) judgeEntry(ctx context.Context, in Input, ref reference, b *base, security bool, v *verdict) error {
	v.note(b.Place, "entry %s (%s, owner %s) matches", b.Selector, b.State, b.Owner)
	if len(b.Digests) == 0 {
		if err := p.pinned(ctx, in, ref, v); err != nil || v.denied != nil {
			return err
		}
	}
	if err := p.age(ctx, in, ref, b, security, v); err != nil || v.denied != nil {
		return err
	}
	if b.Signature != "" && in.Reachable {
		signed, err := p.facts.isSigned(ctx, ref, b.Signature)
		if err != nil {
			return err
		}
		if !signed {
			v.deny(RuleUnsigned, b.Place, "ask "+p.ask(b.Owner), "%s %q (%s) has no signature by the key that its entry names", what(in), ref.named(), ref.digest)
			return nil
		}
		v.note(finding.Place{}, "it is signed by the entry's key")
	}
	if p.deprecated(b) {
		end := ""
		if !b.Until.IsZero() {
			end = "; it is refused after " + b.Until.String()
		}
		v.warnings = append(v.warnings, denial{RuleDeprecated, what(in) + " \"" + ref.named() + "\" is deprecated" + end + note(b), p.help(in, ref), b.Place})
	}
	if b.EndOfLife.ended(p.question.At) {
		v.warnings = append(v.warnings, denial{RuleEndOfLife, what(in) + " \"" + ref.named() + "\" is past its end of life (" + b.EndOfLife.String() + ")", p.help(in, ref), b.Place})
	}
	return nil
}

// pinned checks a reference with tag and digest: the tag alone is what an entry without digests knows, and the digest
// alone is what would be read.
func (p *planner) pinned(ctx context.Context, in Input, ref reference, v *verdict) error {
	if !strings.Contains(in.Ref, "@") {
		return nil
	}
	asked, err := parseReference(in.Ref)
	if err != nil || asked.digest == "" || asked.digest != ref.digest || asked.repository != ref.repository || ref.tag == "" || !in.Reachable {
		return nil //nolint:nilerr // an unreadable reference was denied before
	}
	means, err := p.facts.resolve(ctx, reference{repository: ref.repository, tag: ref.tag})
	if err != nil {
		return err
	}
	if means != ref.digest {
		v.deny(RulePinMismatch, finding.Place{}, "pin "+ref.named()+"@"+means+", or have the digest listed in the catalog",
			"%s %q is pinned to %s, but its tag means %s", what(in), ref.named(), ref.digest, means)
	}
	return nil
}

// age checks the entry's cool-down and limit.
func (p *planner) age(ctx context.Context, in Input, ref reference, b *base, security bool, v *verdict) error {
	if b.Age == (AgeRule{}) || !in.Reachable || security && b.Age.Max == 0 {
		return nil
	}
	created, err := p.facts.created(ctx, ref, in.Platform)
	if err != nil {
		return err
	}
	if created.IsZero() {
		v.deny(RuleTooYoung, b.Place, "ask "+p.ask(b.Owner), "%s %q does not say when it was made, and its entry limits its age", what(in), ref.named())
		return nil
	}
	day := created.UTC().Format(time.DateTime)
	switch old := p.question.At.Sub(created); {
	case !security && old < time.Duration(b.Age.Min):
		v.deny(RuleTooYoung, b.Place, "use an older one, or wait", "%s %q was made at %s; its cool-down of %s ends at %s", what(in), ref.named(),
			day, b.Age.Min, created.Add(time.Duration(b.Age.Min)).UTC().Format(time.DateTime))
	case b.Age.Max != 0 && old > time.Duration(b.Age.Max):
		v.deny(RuleTooOld, b.Place, p.help(in, ref), "%s %q was made at %s; its entry allows %s", what(in), ref.named(), day, b.Age.Max)
	}
	return nil
}

// neededKind is what an entry must be for this use.
func neededKind(in Input) BaseKind {
	switch {
	case in.Role == RoleFrontend:
		return BaseFrontend
	case in.Runtime, in.Role == RoleContext: // which may stand for any stage
		return BaseRuntime
	}
	return BaseBuildOnly
}

// on says whether the entry is for a platform.
func (b *base) on(platform string) bool {
	return len(b.Platforms) == 0 || slices.Contains(b.Platforms, platform)
}

// serves says whether the entry is for what the definition does with the image. A runtime base may be built with too.
func (b *base) serves(in Input) bool {
	kind := neededKind(in)
	return slices.Contains(b.Kinds, kind) || kind == BaseBuildOnly && slices.Contains(b.Kinds, BaseRuntime)
}

func (b *base) kinds() string {
	names := make([]string, len(b.Kinds))
	for i, k := range b.Kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

func note(b *base) string {
	if b.Note == "" {
		return ""
	}
	return ": " + b.Note
}
