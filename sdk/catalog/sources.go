package catalog

import (
	"regexp"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// source decides about an http or git input.
func (p *planner) source(in Input) Decision {
	v := &verdict{}
	rule, where := p.sourceRule(in, v)
	if rule == nil {
		return p.decide(in, v)
	}
	v.granted = true
	v.note(rule.place, "%s%s is listed (owner %s)", rule.host, rule.path, rule.owner)
	switch {
	case (where.scheme == "http" || where.scheme == "git") && !rule.insecure:
		v.deny(rule.listed, rule.place, "use https", "%s is fetched without encryption", shown(in))
	case !rule.unpinned && !rule.pin.MatchString(in.Digest):
		v.deny(rule.pinned, rule.place, rule.pinHelp, "%s is not pinned%s", shown(in), rule.pinNote)
	}
	d := p.decide(in, v)
	d.Entry, d.Owner = rule.place.String(), rule.owner
	return d
}

// sourceRule is what HTTPRule and GitRule have in common, and the words for each.
type sourceRule struct {
	host, path, owner  string
	unpinned, insecure bool
	place              finding.Place
	listed, pinned     string // rule ids
	pin                *regexp.Regexp
	pinNote, pinHelp   string
}

var (
	checksumForm = regexp.MustCompile(`^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$`)
	commitForm   = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
)

func (p *planner) sourceRules(kind Kind) []sourceRule {
	var out []sourceRule
	if kind == KindHTTP {
		for _, r := range p.catalog.doc.HTTP {
			out = append(out, sourceRule{
				r.Host, r.Path, r.Owner, r.Unpinned, r.Insecure, r.Place, RuleHTTPNotListed, RuleHTTPUnpinned, checksumForm,
				" by a checksum", "add --checksum=sha256:... to the ADD",
			})
		}
		return out
	}
	for _, r := range p.catalog.doc.Git {
		out = append(out, sourceRule{
			r.Host, strings.TrimSuffix(r.Path, ".git"), r.Owner, r.Unpinned, r.Insecure, r.Place, RuleGitNotListed, RuleGitUnpinned, commitForm,
			" to a commit: branches and tags move", "name the commit's full id: repository.git#<40 hex digits>",
		})
	}
	return out
}

// sourceRule finds the rule for an input; the longest path decides. It denies what has none.
func (p *planner) sourceRule(in Input, v *verdict) (*sourceRule, location) {
	id := RuleHTTPNotListed
	if in.Kind == KindGit {
		id = RuleGitNotListed
	}
	url, _, _ := strings.Cut(in.Ref, "#") // git's ref and sub-directory
	where, err := parseLocation(url)
	if err != nil || where.scheme == "file" || in.Kind == KindHTTP && where.scheme != "https" && where.scheme != "http" {
		reason := "it is no address of a server"
		if err != nil {
			reason = err.Error()
		}
		v.deny(id, finding.Place{}, "", "%s is not allowed: %s", shown(in), reason)
		return nil, where
	}
	v.note(in.Place, "%s is read", shown(in))
	path := where.path
	if in.Kind == KindGit {
		path = strings.TrimSuffix(strings.TrimSuffix(path, "/"), ".git")
	}
	var best *sourceRule
	for _, rule := range p.sourceRules(in.Kind) {
		if rule.host == where.host && below(path, rule.path) && (best == nil || len(rule.path) > len(best.path)) {
			best = &rule
		}
	}
	if best == nil {
		v.deny(id, finding.Place{}, "copy it into the repository, or ask "+p.ask("")+" to list "+where.host, "%s is not allowed: no rule of the catalog has %s", shown(in), where.host+where.path)
	}
	return best, where
}

// shown is a URL as messages show it: no user, password or query.
func shown(in Input) string {
	url, _, _ := strings.Cut(redact(in.Ref), "?")
	return string(in.Kind) + " source " + clip(url)
}

// context decides whether a named context may be given at all: by its name, and only a directory or an image, which is
// then judged as one. What else BuildKit takes (URLs, OCI layouts, other targets) comes from where no rule looks.
func (p *planner) context(in Input, v *verdict) bool {
	rule := p.catalog.doc.Contexts
	name, at := in.Written, finding.Place{}
	if rule != nil {
		at = rule.Place
	}
	refuses := func(r *ContextRule) bool {
		return !slices.ContainsFunc(r.Allow, func(pattern string) bool { return glob(pattern, name) })
	}
	if i := slices.IndexFunc(p.catalog.contexts, refuses); i >= 0 && rule != nil {
		rule, at = nil, p.catalog.contexts[i].Place
	}
	_, err := parseReference(in.Ref)
	local := strings.TrimPrefix(in.Ref, "local:")
	switch {
	case rule == nil:
		v.deny(RuleContext, at, "build without it, or ask "+p.ask("")+" to allow the name under contexts",
			"named context %q is not allowed: it can take the place of any stage or image", clip(name))
	case err != nil && strings.ContainsAny(local, ":@"):
		v.deny(RuleContext, at, "give a directory, or an image as docker-image://registry/repository:tag",
			"named context %q is %q, neither a directory nor an image", clip(name), clip(redact(in.Ref)))
	default:
		v.note(at, "named context %s is allowed", name)
		return true
	}
	return false
}

// variables are the names in an unexpanded reference.
var variables = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)

// args checks the arguments that a reference is made of.
func (p *planner) args(in Input) {
	if len(p.catalog.args) == 0 || in.Kind != KindImage {
		return
	}
	for _, m := range variables.FindAllStringSubmatch(in.Written, -1) {
		name := m[1]
		i := slices.IndexFunc(p.catalog.args, func(r *ArgRule) bool { return !slices.Contains(r.From, name) })
		if platformArg(name) || i < 0 {
			continue
		}
		rule := p.catalog.args[i]
		p.find(in, denial{
			rule: RuleArg, related: rule.Place, message: "argument " + name + " may not be part of an image reference",
			help: "write the value out, or ask " + p.ask("") + " to list the argument under args.from",
		})
	}
}

// platformArg says whether BuildKit sets the argument itself.
func platformArg(name string) bool {
	for _, side := range []string{"TARGET", "BUILD"} {
		if rest, ok := strings.CutPrefix(name, side); ok && slices.Contains([]string{"PLATFORM", "OS", "ARCH", "VARIANT"}, rest) {
			return true
		}
	}
	return false
}

// reservedArg refuses what changes the builder itself: BUILDKIT_SYNTAX would run another frontend.
func (p *planner) reservedArg(name string) {
	if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(name)), "BUILDKIT_") {
		p.plan.Findings = append(p.plan.Findings, finding.Finding{
			Rule: RuleReservedArg, Severity: severityOf(RuleReservedArg), Message: "build argument " + clip(name) + " is reserved: it changes the builder, not the build",
			Help: "leave it out",
		})
	}
}
