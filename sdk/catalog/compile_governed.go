package catalog

import (
	"cmp"
	"io/fs"
	"regexp"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

func (c *compiler) substitution(s *Substitution, owner string) {
	from := c.selector(&s.From, c.at(&s.From, s.Place), "from")
	to := c.target(&s.To, c.at(&s.To, s.Place))
	c.need(&s.Reason, s.Reason, s.Place, "a substitution", "reason (its developers are told)")
	s.Owner = cmp.Or(s.Owner, owner)
	c.catalog.substitutions[s.From.Repository] = append(c.catalog.substitutions[s.From.Repository],
		&substitution{Substitution: *s, part: c.part, from: from, target: to})
}

// defaultWarn is how long before its end an exception begins to warn.
const defaultWarn = 14 * day

func (c *compiler) exception(e *Exception) {
	const what = "an exception"
	for _, field := range []struct {
		ptr *string
		key string
	}{{&e.ID, "id"}, {&e.Reason, "reason"}, {&e.Owner, "owner"}, {&e.Approver, "approver"}} {
		c.need(field.ptr, *field.ptr, e.Place, what, field.key)
	}
	switch {
	case !c.has(&e.Until):
		c.report(e.Place, "an exception has no end: until")
	case !e.From.IsZero() && !e.Until.IsZero() && !e.From.Begin().Before(e.Until.End()):
		c.report(c.at(&e.Until, e.Place), "until %s is before from %s", e.Until, e.From)
	}
	if e.Warn == 0 {
		e.Warn = Span(defaultWarn)
	}
	out := &exception{project: c.project(&e.Project, c.at(&e.Project, e.Place))}
	out.image = c.scope(&e.Scope, c.at(&e.Scope, e.Place))
	out.Exception, out.part = *e, c.part
	c.catalog.exceptions = append(c.catalog.exceptions, out)
}

var ruleID = regexp.MustCompile(`^[A-Z]{2}[0-9]{4}$`)

func (c *compiler) scope(s *Scope, place finding.Place) (image *matcher) {
	given := 0
	for _, ptr := range []any{&s.Image, &s.Rule, &s.Ban} {
		if c.has(ptr) {
			given++
		}
	}
	if given != 1 {
		c.report(place, "the scope of an exception is one of image, rule and ban")
	}
	if s.Image != nil {
		at := c.at(s.Image, c.at(&s.Image, place))
		m := c.selector(s.Image, at, "an image")
		if !s.Image.named() && !c.anyOf(&s.Image.Tags, &s.Image.Versions, &s.Image.Digests) {
			c.report(at, "the image of an exception has no tags, versions or digests")
		}
		image = &m
	}
	if rule := s.Rule; rule != "" {
		switch {
		case !ruleID.MatchString(rule):
			c.report(c.at(&s.Rule, place), "rule %q is not an id such as DF2003", clip(rule))
		case strings.HasPrefix(rule, "DF10"):
			c.report(c.at(&s.Rule, place), "rule %s decides which inputs a build may read; except an image instead", rule)
		}
	}
	return image
}

func (c *compiler) project(s *Selected, place finding.Place) projectMatcher {
	var m projectMatcher
	if c.need(&s.Repository, s.Repository, place, "the project of an exception", "repository") {
		at := c.at(&s.Repository, place)
		m = c.projectRepository(s.Repository, at)
	}
	switch dir := s.Path; {
	case dir == "":
	case strings.ContainsAny(dir, "*?[\\") || strings.HasPrefix(dir, "/") || strings.Contains("/"+dir+"/", "/../"):
		c.report(c.at(&s.Path, place), "path %q is not a directory in the repository (no patterns, no \"..\")", clip(dir))
	}
	m.path = s.Path
	if s.When != "" {
		compile := c.loader.Conditions
		if compile == nil {
			c.report(c.at(&s.When, place), "%v", errNoConditions)
			return m
		}
		condition, err := compile(s.When)
		if err != nil {
			c.report(c.at(&s.When, place), "when: %v", err)
		}
		m.condition = condition
	}
	return m
}

// projectRepository reads a repository's URL, or a group's with "/*" at the end.
func (c *compiler) projectRepository(repository string, at finding.Place) projectMatcher {
	url, group := strings.CutSuffix(repository, "/*")
	where, err := parseLocation(url)
	switch {
	case strings.ContainsAny(url, "*?[") || group && strings.Trim(where.path, "/") == "":
		c.report(at, "%q: an exception can't be for all projects; name a repository, or a group of them as https://host/group/*", clip(repository))
	case err != nil:
		c.report(at, "%v", err)
	case where.host == "" && !strings.HasPrefix(where.path, "/"):
		c.report(at, "%q is a path that means another place for everyone; name a URL", clip(repository))
	}
	return projectMatcher{where: projectKey(where), group: group}
}

// parseGrant reads a project that was checked when its include was read.
func parseGrant(repository string) projectMatcher {
	url, group := strings.CutSuffix(repository, "/*")
	where, _ := parseLocation(url)
	return projectMatcher{where: projectKey(where), group: group}
}

// include checks one include.
func (c *compiler) include(i *Include) {
	notEmpty(c, &i.Projects, "projects")
	elsewhere := i.Git != "" || i.OCI != ""
	switch {
	case !c.anyOf(&i.Path, &i.Git, &i.OCI):
		c.report(i.Place, "an include has no path, git or oci")
	case i.Git != "" && i.OCI != "":
		c.report(i.Place, "an include is from git or from oci; make two of it")
	case !elsewhere && len(i.Projects) > 0:
		c.report(c.at(&i.Projects, i.Place), "projects limit what comes from git or oci; files of the same directory are not limited")
	}
	if i.Git != "" {
		if _, err := parseLocation(i.Git); err != nil {
			c.report(c.at(&i.Git, i.Place), "%v", err)
		}
		if c.need(&i.Commit, i.Commit, i.Place, "an include from git", "commit") && !commitForm.MatchString(i.Commit) {
			c.report(c.at(&i.Commit, i.Place), "commit %q is not the full id of one (40 or 64 hex digits in lower case): branches and tags move", clip(i.Commit))
		}
	} else if c.has(&i.Commit) {
		c.report(c.at(&i.Commit, i.Place), "a commit goes with git")
	}
	if i.OCI != "" {
		if ref, err := parseReference(i.OCI); err != nil {
			c.report(c.at(&i.OCI, i.Place), "%v", err)
		} else if ref.digest == "" || ref.tag != "" {
			c.report(c.at(&i.OCI, i.Place), "oci %q is not pinned; write registry/repository@sha256:..., tags move", clip(i.OCI))
		}
	}
	if i.Path != "" && (strings.HasPrefix(i.Path, "/") || strings.Contains(i.Path, "\\") || elsewhere && !fs.ValidPath(i.Path)) {
		c.report(c.at(&i.Path, i.Place), "path %q is not a relative path with slashes", clip(i.Path))
	}
	for n, project := range i.Projects {
		c.projectRepository(project, c.at(&i.Projects[n], i.Place))
	}
}

func (c *compiler) ban(b *Ban) {
	const what = "a ban"
	for _, field := range []struct {
		ptr *string
		key string
	}{{&b.ID, "id"}, {&b.Reason, "reason"}, {&b.Author, "author"}, {&b.Approver, "approver"}} {
		c.need(field.ptr, *field.ptr, b.Place, what, field.key)
	}
	switch {
	case b.Repository != "":
		c.repository(&b.Repository, b.Place)
	case c.anyOf(&b.Tags, &b.Versions):
		c.report(b.Place, "a ban of tags or versions has no repository")
	case !c.anyOf(&b.Repository, &b.Digests) && b.Package == nil:
		c.report(b.Place, "a ban has no repository, digests or package")
	}
	if b.Package != nil {
		at := c.at(&b.Package, b.Place)
		c.need(&b.Package.Type, b.Package.Type, at, "a package", "type")
		c.need(&b.Package.Name, b.Package.Name, at, "a package", "name")
		if d := b.Package.Distro; strings.Trim(d, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
			c.report(c.at(&b.Package.Distro, at), "distro %q is not ID or ID-VERSION_ID of os-release, such as debian-12", clip(d))
		}
		if b.named() {
			c.report(at, "a ban is by package or by tags, versions and digests; make two of it")
		}
	}
	// A ban is wide where an entry is narrow.
	if b.Versions != "" && !c.has(&b.Suffix) {
		b.Suffix = "*"
	}
	if b.Versions != "" && !c.has(&b.Prefix) {
		b.Prefix = "*"
	}
	if b.Versions != "" && !c.has(&b.Prereleases) {
		b.Prereleases = true
	}
	if b.Severity != "" {
		oneOf(c, &b.Severity, b.Severity, "severity", "low", "medium", "high", "critical")
	}
	if !c.has(&b.DenyFrom) {
		c.report(b.Place, "a ban has no denyFrom")
	} else if !b.WarnFrom.IsZero() && b.WarnFrom.Begin().After(b.DenyFrom.Begin()) {
		c.report(c.at(&b.WarnFrom, b.Place), "warnFrom %s is after denyFrom %s", b.WarnFrom, b.DenyFrom)
	}
	if b.Lifted != nil {
		at := c.at(&b.Lifted, b.Place)
		if !c.has(&b.Lifted.At) {
			c.report(at, "a lifted ban has no at")
		}
		c.need(&b.Lifted.By, b.Lifted.By, at, "a lifted ban", "by")
		c.need(&b.Lifted.Reason, b.Lifted.Reason, at, "a lifted ban", "reason")
	}
	out := &ban{}
	if b.Replacement != nil {
		replacement := c.target(b.Replacement, c.at(&b.Replacement, b.Place))
		out.replacement = &replacement
	}
	out.match = c.selection(&b.Selector, b.Place)
	out.Ban, out.part = *b, c.part
	c.catalog.bans = append(c.catalog.bans, out)
}

// warnBegins is when uses of the exception become warnings.
func (e *Exception) warnBegins() time.Time { return e.Until.End().Add(-time.Duration(e.Warn)) }
