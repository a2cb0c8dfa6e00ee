package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Plan decides about every input of a definition. An error means that the question could not be answered, because a fact
// could not be had or a condition not be evaluated: there is no plan then, and nothing may be built. facts may be nil when
// every input has its digest and nothing in the catalog needs more.
//
// Inputs that are not reachable, of stages that the target does not need, are judged as far as that goes without asking
// facts, and what would deny them is a warning: BuildKit does not read them.
func (c *Catalog) Plan(ctx context.Context, q Question, facts Facts) (*Plan, error) {
	p := &planner{
		catalog: c, question: q, facts: &lookup{facts: facts}, uses: map[*exception]int{},
		plan: &Plan{Catalog: c.digest, Version: c.doc.Revision, Origin: c.origin},
	}
	if err := p.applicable(); err != nil {
		return nil, err
	}
	for _, name := range q.Args {
		p.reservedArg(name)
	}
	for _, in := range q.Inputs {
		decision, err := p.input(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", in.Place, err)
		}
		p.plan.Decisions = append(p.plan.Decisions, decision)
	}
	p.exceptionFindings()
	p.plan.Findings = finding.Sort(p.plan.Findings)
	return p.plan, nil
}

// planner makes one plan. It is used by one goroutine.
type planner struct {
	catalog  *Catalog
	question Question
	facts    *lookup
	plan     *Plan
	// inForce are the exceptions for the project at the time, uses counts what needed them.
	inForce []*exception
	uses    map[*exception]int
}

// denial is a reason why an input is not allowed, or a warning about it.
type denial struct {
	rule    string
	message string
	help    string
	// related is where in the catalog it says so.
	related finding.Place
}

// verdict is what the catalog says about one input. Only what is granted and not denied is allowed.
type verdict struct {
	granted  bool
	entry    *base
	ban      *ban         // that denied it
	excepted []*exception // that allowed it
	denied   *denial
	warnings []denial
	evidence []Evidence
}

func (v *verdict) note(at finding.Place, format string, args ...any) {
	v.evidence = append(v.evidence, Evidence{Place: at, Text: fmt.Sprintf(format, args...)})
}

func (v *verdict) deny(rule string, at finding.Place, help, format string, args ...any) {
	v.denied = &denial{rule: rule, message: fmt.Sprintf(format, args...), help: help, related: at}
	v.note(at, "%s", v.denied.message)
}

func (p *planner) input(ctx context.Context, in Input) (Decision, error) {
	p.args(in)
	switch in.Kind {
	case KindImage:
		return p.image(ctx, in)
	case KindHTTP, KindGit:
		return p.source(in), nil
	case KindContext:
		if _, err := parseReference(in.Ref); err == nil {
			return p.image(ctx, in) // a named context that stands for an image
		}
		v := &verdict{}
		v.granted = p.context(in, v)
		return p.decide(in, v), nil
	}
	v := &verdict{}
	v.deny(RuleUnresolved, finding.Place{}, "", "input %q has the unknown kind %q", clip(in.Ref), clip(string(in.Kind)))
	return p.decide(in, v), nil
}

// decide makes the decision and the findings from a verdict about the input as it was asked for.
func (p *planner) decide(in Input, v *verdict) Decision {
	if !v.granted && v.denied == nil {
		v.deny(RuleNotListed, finding.Place{}, "", "%s %q: nothing in the catalog allows it", what(in), clip(in.Ref))
	}
	d := Decision{Input: in, Effective: in.Ref, Digest: in.Digest, Allowed: v.denied == nil, Evidence: v.evidence}
	if v.entry != nil {
		d.Entry, d.Owner = v.entry.Place.String(), v.entry.Owner
	}
	if v.ban != nil {
		d.Ban = v.ban.ID
	}
	for _, e := range v.excepted {
		p.uses[e]++
		d.Exception, d.Owner = e.ID, cmp.Or(d.Owner, e.Owner)
	}
	if v.denied != nil {
		d.Rule = v.denied.rule
		p.find(in, *v.denied)
	}
	for _, w := range v.warnings {
		p.find(in, w)
	}
	return d
}

// find adds a finding about an input.
func (p *planner) find(in Input, d denial) *finding.Finding {
	severity := severityOf(d.rule)
	if !in.Reachable && severity == finding.Error {
		severity = finding.Warning
		d.message += "; the target does not need this stage, so it is not read"
	}
	f := finding.Finding{Rule: d.rule, Severity: severity, Place: in.Place, Message: d.message, Help: d.help, Related: in.From}
	if d.related.File != "" {
		f.Related = append(slices.Clip(f.Related), finding.Related{Place: d.related, Message: "the catalog says so here"})
	}
	p.plan.Findings = append(p.plan.Findings, f)
	return &p.plan.Findings[len(p.plan.Findings)-1]
}

// image decides about an image.
func (p *planner) image(ctx context.Context, in Input) (Decision, error) {
	v := &verdict{}
	if (in.Role == RoleContext || in.Kind == KindContext) && !p.context(in, v) {
		return p.decide(in, v), nil
	}
	asked, ok := p.asked(in, v)
	if !ok {
		return p.decide(in, v), nil
	}
	exception := p.exceptionFor(asked)
	ref, moved := asked, move{}
	if exception == nil {
		var err error
		if moved, err = p.move(ctx, in, asked, v); err != nil {
			return Decision{}, err
		}
		ref = moved.to
	}
	if in.Digest == "" && in.Reachable && ref == asked && v.denied == nil {
		v.deny(RuleUnresolved, finding.Place{}, "", "%s %q has no digest: it was not found in its registry", what(in), ref.named())
	}
	if v.denied == nil {
		if err := p.judge(ctx, in, ref, moved.security, v); err != nil {
			return Decision{}, err
		}
	}
	if exception != nil {
		if err := p.except(ctx, in, asked, exception, v); err != nil {
			return Decision{}, err
		}
	}
	d := p.decide(in, v)
	if ref != asked {
		d.Effective, d.Digest, d.Moved, d.Reason = ref.named(), ref.digest, true, moved.reason
		if d.Allowed {
			p.tellMove(in, &d, ref, moved)
		}
	}
	return d, nil
}

// asked reads the reference that the definition asks for, with the digest that it means now.
func (p *planner) asked(in Input, v *verdict) (reference, bool) {
	ref, err := parseReference(in.Ref)
	if err != nil {
		v.deny(RuleUnresolved, finding.Place{}, "write the reference in full and in lower case", "%s: %v", what(in), err)
		return ref, false
	}
	if _, err := parsePlatform(in.Platform); err != nil {
		v.deny(RuleUnresolved, finding.Place{}, "", "%s %q: %v", what(in), ref, err)
		return ref, false
	}
	switch {
	case in.Digest != "" && !validDigest(in.Digest):
		v.deny(RuleUnresolved, finding.Place{}, "", "%s %q: digest %q is not sha256: and 64 hex digits", what(in), ref, clip(in.Digest))
		return ref, false
	case ref.digest != "" && in.Digest != "" && ref.digest != in.Digest:
		v.deny(RulePinMismatch, finding.Place{}, "", "%s %q was resolved to %s, which is not what it is pinned to", what(in), ref, in.Digest)
		return ref, false
	}
	if ref.digest == "" {
		ref.digest = in.Digest
	}
	v.note(in.Place, "%s %s asks for %s", what(in), in.Written, in.Ref)
	if ref.digest != "" {
		v.note(finding.Place{}, "that is %s", ref.digest)
	}
	return ref, true
}

// what names an input in messages.
func what(in Input) string {
	switch in.Role {
	case RoleBase:
		return "base image"
	case RoleCopy:
		return "image of COPY --from"
	case RoleMount:
		return "image of RUN --mount"
	case RoleFrontend:
		return "frontend"
	case RoleOnBuild:
		return "image of an inherited ONBUILD trigger"
	case RoleContext:
		return "named context"
	}
	return "input"
}
