package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// applicable finds the exceptions for the project. One whose condition can't be evaluated is an error: it might be the
// one that suppresses, and it might be one that should have ended.
func (p *planner) applicable() error {
	for _, e := range p.catalog.exceptions {
		matches, err := e.project.matches(p.question.Project)
		if err != nil {
			return fmt.Errorf("%s: condition of exception %s: %w", e.Place, e.ID, err)
		}
		at := p.question.At
		switch {
		case !matches || !e.From.IsZero() && !e.From.begun(at):
		case e.Until.ended(at):
			p.plan.Findings = append(p.plan.Findings, ended(e))
		default:
			p.inForce = append(p.inForce, e)
		}
	}
	return nil
}

func ended(e *exception) finding.Finding {
	return finding.Finding{
		Rule: RuleExceptionEnded, Severity: severityOf(RuleExceptionEnded), Place: e.Place,
		Message: fmt.Sprintf("exception %s for %s ended with %s", e.ID, e.Project.Repository, e.Until),
		Help:    "delete it, or let " + e.Approver + " prolong it if " + e.Owner + " still needs it",
	}
}

// exceptionFor is the first exception in force for an image.
func (p *planner) exceptionFor(ref reference) *exception {
	for _, e := range p.inForce {
		if e.image != nil && e.image.Repository == ref.repository && e.image.narrow(ref.tag, ref.digest) == fitYes {
			return e
		}
	}
	return nil
}

func (p *planner) banException(b *ban) *exception {
	for _, e := range p.inForce {
		if e.Scope.Ban == b.ID {
			return e
		}
	}
	return nil
}

// except lets an exception overrule what was judged. Bans and what is unresolved stay denied, and a pin must be what its
// tag means unless the exception lists the digest.
func (p *planner) except(ctx context.Context, in Input, asked reference, e *exception, v *verdict) error {
	if v.denied == nil && p.catalog.substitutionFor(asked) == nil {
		return nil // the catalog allows it anyway; the exception stays unused
	}
	if v.ban != nil || v.denied != nil && v.denied.rule == RuleUnresolved {
		return nil
	}
	if len(e.image.Digests) == 0 {
		pin := &verdict{}
		if err := p.pinned(ctx, in, asked, pin); err != nil || pin.denied != nil {
			v.denied = pin.denied
			return err
		}
	}
	v.granted, v.denied = true, nil
	p.use(in, e, v)
	return nil
}

// use lets an exception allow an input, and says so.
func (p *planner) use(in Input, e *exception, v *verdict) {
	v.excepted = append(v.excepted, e)
	v.note(e.Place, "exception %s (%s, approved by %s, until %s) allows it: %s", e.ID, e.Owner, e.Approver, e.Until, e.Reason)
	d := denial{rule: RuleExceptionUsed, related: e.Place, message: fmt.Sprintf("exception %s allows this %s until %s: %s", e.ID, what(in), e.Until, e.Reason)}
	if !p.question.At.Before(e.warnBegins()) {
		d.rule = RuleExceptionEnds
		d.message = fmt.Sprintf("exception %s, which allows this %s, ends with %s: %s", e.ID, what(in), e.Until, e.Reason)
		d.help = "move to a base of the catalog before, or ask " + e.Approver + " to prolong it"
	}
	v.warnings = append(v.warnings, d)
}

// exceptionFindings records the exceptions in force, and tells of those that nothing needed. Exceptions from rules are
// used by [Catalog.Suppress], which a plan does not see.
func (p *planner) exceptionFindings() {
	for _, e := range p.inForce {
		uses := p.uses[e]
		p.plan.Exceptions = append(p.plan.Exceptions, ExceptionUse{ID: e.ID, Place: e.Place, Until: e.Until, Uses: uses})
		if uses == 0 && e.Scope.Rule == "" {
			p.plan.Findings = append(p.plan.Findings, finding.Finding{
				Rule: RuleExceptionUnused, Severity: severityOf(RuleExceptionUnused), Place: e.Place,
				Message: fmt.Sprintf("exception %s for %s is not needed by this definition", e.ID, e.Project.Repository),
				Help:    "if no other definition of the project needs it, delete it",
			})
		}
	}
}

// suppressionReason is what findings that the exception suppresses say.
func (e *Exception) suppressionReason() string { return e.ID + ": " + e.Reason }

// Suppress marks the findings whose rules an exception of the project covers at the time, and returns them all with a
// finding for each such exception that covered none. It is for findings of other packages, such as lint's; findings are
// not changed in place.
func (c *Catalog) Suppress(project Project, at time.Time, findings []finding.Finding) ([]finding.Finding, error) {
	p := &planner{catalog: c, question: Question{Project: project, At: at}, plan: &Plan{}}
	if err := p.applicable(); err != nil {
		return nil, err
	}
	out := append([]finding.Finding(nil), findings...)
	for _, e := range p.inForce {
		if e.Scope.Rule == "" {
			continue
		}
		uses := 0
		for i := range out {
			if out[i].Rule == e.Scope.Rule && out[i].Suppressed == nil {
				out[i].Suppressed = &finding.Suppression{Kind: "exception", Reason: e.suppressionReason(), Until: e.Until.End()}
				uses++
			}
		}
		if uses == 0 {
			out = append(out, finding.Finding{
				Rule: RuleExceptionUnused, Severity: severityOf(RuleExceptionUnused), Place: e.Place,
				Message: fmt.Sprintf("exception %s from %s is not needed by this definition", e.ID, e.Scope.Rule),
				Help:    "if no other definition of the project needs it, delete it",
			})
		}
	}
	return finding.Sort(out), nil
}

// Review looks at the catalog itself, for those who keep it: exceptions that have ended or are about to, or that nothing
// needs, and substitutions that lead to a base that no entry allows. [Catalog.Inspect] compares it with registries, and a
// [Tally] with definitions.
func (c *Catalog) Review(at time.Time) []finding.Finding {
	var out []finding.Finding
	for _, e := range c.exceptions {
		switch {
		case e.Until.ended(at):
			out = append(out, ended(e))
		case !at.Before(e.warnBegins()):
			out = append(out, finding.Finding{
				Rule: RuleExceptionEnds, Severity: severityOf(RuleExceptionEnds), Place: e.Place,
				Message: fmt.Sprintf("exception %s for %s ends with %s", e.ID, e.Project.Repository, e.Until),
				Help:    "ask " + e.Owner + " whether it is still needed",
			})
		}
		if why := c.needless(e, at); why != "" {
			out = append(out, finding.Finding{
				Rule: RuleExceptionIdle, Severity: severityOf(RuleExceptionIdle), Place: e.Place,
				Message: fmt.Sprintf("exception %s for %s can't be needed: %s", e.ID, e.Project.Repository, why),
				Help:    "delete it",
			})
		}
	}
	for _, substitutions := range c.substitutions {
		for _, s := range substitutions {
			if to, ok := c.leadsNowhere(s); ok {
				out = append(out, finding.Finding{
					Rule: RuleNoSuchTarget, Severity: severityOf(RuleNoSuchTarget), Place: s.Place,
					Message: fmt.Sprintf("%s is moved to %s, which no entry allows", s.From, to),
					Help:    "list the target, or everyone who is moved is refused",
				})
			}
		}
	}
	return finding.Sort(out)
}

// needless says why nothing can need an exception, "" when something may.
func (c *Catalog) needless(e *exception, at time.Time) string {
	for _, b := range c.bans {
		if b.ID == e.Scope.Ban && b.Effect(at) == EffectLifted {
			return "ban " + b.ID + " was lifted"
		}
	}
	if e.image == nil {
		return ""
	}
	for _, b := range c.bases[e.image.Repository] {
		plain := b.State != StateBanned && b.State != StateDeprecated && len(b.Platforms) == 0 && b.Signature == "" && b.Age == (AgeRule{})
		if plain && slices.Contains(b.Kinds, BaseRuntime) && b.match.contains(e.image) && len(c.substitutions[e.image.Repository]) == 0 {
			return "the entry at " + b.Place.String() + " allows all of it"
		}
	}
	return ""
}

// leadsNowhere says whether a target that is known without a registry is allowed by no entry.
func (c *Catalog) leadsNowhere(s *substitution) (to string, nowhere bool) {
	for _, ref := range s.examples() {
		next, ok := s.target.static(ref)
		if !ok || c.substitutionFor(next) != nil {
			continue
		}
		listed := false
		for _, b := range c.bases[next.repository] {
			digest := next.digest
			if digest == "" && len(b.Digests) > 0 {
				digest = b.Digests[0] // which one it will be is for the registry to say
			}
			listed = listed || b.match.narrow(next.tag, digest) == fitYes
		}
		if !listed {
			return strings.TrimSuffix(next.String(), ":"), true
		}
	}
	return "", false
}
