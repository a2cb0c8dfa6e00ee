package catalog

import (
	"cmp"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// compiler turns files into a [Catalog]. It reports every problem and goes on; what it made is used only when there was
// none.
type compiler struct {
	*decoder // of the file at hand
	part     *part
	loader   Loader
	problems []Problem // of the files before
	catalog  *Catalog
	// once remembers where a setting was made that only one file may make.
	once map[string]finding.Place
	// hosts remembers which part lists a host for http and git sources.
	hosts map[string]listedHost
}

type listedHost struct {
	part  *part
	place finding.Place
}

func newCompiler(l Loader) *compiler {
	return &compiler{loader: l, decoder: &decoder{}, once: map[string]finding.Place{}, hosts: map[string]listedHost{}, catalog: &Catalog{
		bases: map[string][]*base{}, substitutions: map[string][]*substitution{},
	}}
}

// compile decodes and compiles one file, adds it to the catalog and returns what it includes; nothing when there is a
// problem in it, so that nothing is fetched for a catalog that can't be used.
func (c *compiler) compile(p *part, name string, src []byte) []Include {
	var doc Document
	c.part, c.decoder = p, &decoder{file: name, src: src}
	if len(src) > maxFileBytes {
		c.report(finding.Place{File: name}, "the file has more than %d MiB", maxFileBytes>>20)
	} else if c.decode(&doc); len(c.places) > 0 { // it is YAML
		c.document(&doc)
	}
	clean := len(c.decoder.problems) == 0
	c.flush()
	if !clean {
		return nil
	}
	return doc.Include
}

// flush keeps the problems of the file at hand and leaves it.
func (c *compiler) flush() {
	c.problems = append(c.problems, c.decoder.problems...)
	c.decoder = &decoder{}
}

func (c *compiler) document(doc *Document) {
	top := c.at(doc, finding.Place{})
	switch {
	case c.broken[doc] || c.has(&doc.Version) && c.reported(c.at(&doc.Version, top)):
		return
	case !c.has(&doc.Version):
		c.report(top, "the file has no format version; it begins with \"version: 1\"")
	case doc.Version != 1:
		c.report(c.at(&doc.Version, top), "format version %d; this program reads version 1", doc.Version)
		return
	}
	all := &c.catalog.doc
	all.Version = 1
	c.settings(doc, all, top)
	each(c, doc.Include, "include", c.include)
	each(c, doc.Bases, "bases", func(b *Base) { c.base(b, doc.Owner) })
	each(c, doc.HTTP, "http", func(r *HTTPRule) {
		r.Owner = cmp.Or(r.Owner, doc.Owner)
		c.sourceRule("http", &r.Host, &r.Path, r.Place)
	})
	each(c, doc.Git, "git", func(r *GitRule) {
		r.Owner = cmp.Or(r.Owner, doc.Owner)
		c.sourceRule("git", &r.Host, &r.Path, r.Place)
	})
	each(c, doc.Substitutions, "substitutions", func(s *Substitution) { c.substitution(s, doc.Owner) })
	each(c, doc.Exceptions, "exceptions", c.exception)
	each(c, doc.Bans, "bans", c.ban)
	each(c, doc.Templates, "templates", func(t *Template) { c.template(t, doc.Owner) })
	for _, i := range doc.Include {
		if i.Git != "" || i.OCI != "" { // in which file of a part something is said is not what the catalog says
			all.Include = append(all.Include, i)
		}
	}
	all.Bases = append(all.Bases, doc.Bases...)
	all.HTTP = append(all.HTTP, doc.HTTP...)
	all.Git = append(all.Git, doc.Git...)
	all.Substitutions = append(all.Substitutions, doc.Substitutions...)
	all.Exceptions = append(all.Exceptions, doc.Exceptions...)
	all.Bans = append(all.Bans, doc.Bans...)
	all.Templates = append(all.Templates, doc.Templates...)
}

// each compiles the items of a list that the file gives a mapping for.
func each[T any](c *compiler, items []T, key string, compile func(*T)) {
	if len(items) > maxItems {
		c.report(finding.Place{File: c.file}, "%s has %d items; %d are allowed", key, len(items), maxItems)
		return
	}
	for i := range items {
		if !c.broken[&items[i]] {
			compile(&items[i])
		}
	}
}

// settings takes over what is said once for each part. Each file has an owner; the first one's is the catalog's. Name,
// revision and the ways to reach owners are the root's; contexts, args and inline have to be met in every part that has them.
func (c *compiler) settings(doc, all *Document, top finding.Place) {
	root := c.part.parent == nil
	if root {
		all.Owner = cmp.Or(all.Owner, doc.Owner)
	}
	if c.has(&doc.Name) && c.single("name", c.at(&doc.Name, top)) {
		c.part.Title = doc.Name
	}
	if c.has(&doc.Revision) && c.single("revision", c.at(&doc.Revision, top)) {
		c.part.Revision = doc.Revision
	}
	if root {
		all.Name, all.Revision = c.part.Title, c.part.Revision
	}
	if doc.Contexts != nil && c.single("contexts", doc.Contexts.Place) {
		c.catalog.contexts = append(c.catalog.contexts, doc.Contexts)
		if root {
			all.Contexts = doc.Contexts
		}
		for i, pattern := range doc.Contexts.Allow {
			c.pattern(&doc.Contexts.Allow[i], pattern, "context name")
		}
	}
	if doc.Args != nil && c.single("args", doc.Args.Place) {
		c.catalog.args = append(c.catalog.args, doc.Args)
		if root {
			all.Args = doc.Args
		}
	}
	if doc.Inline != nil && c.single("inline", doc.Inline.Place) {
		c.catalog.inlines = append(c.catalog.inlines, doc.Inline)
		if root {
			all.Inline = doc.Inline
		}
		c.inline(doc.Inline)
	}
	for owner, contact := range doc.Owners {
		if all.Owners == nil {
			all.Owners = map[string]string{}
		}
		if c.single("owner "+owner, c.at(&doc.Owners, top)) && (root || all.Owners[owner] == "") {
			all.Owners[owner] = contact
		}
	}
}

// single reports a setting that the same part made before.
func (c *compiler) single(key string, at finding.Place) bool {
	if first, ok := c.once[c.part.key+"\x00"+key]; ok {
		c.report(at, "%s is set twice, first at %s", key, first)
		return false
	}
	c.once[c.part.key+"\x00"+key] = at
	return true
}

func (c *compiler) base(b *Base, owner string) {
	match := c.selector(&b.Selector, b.Place, "a base")
	if !b.named() && !c.anyOf(&b.Tags, &b.Versions, &b.Digests) {
		c.report(b.Place, "a base has no tags, versions or digests; tags: [\"*\"] allows all tags")
	}
	notEmpty(c, &b.Kinds, "kinds")
	notEmpty(c, &b.Platforms, "platforms")
	if b.Owner = cmp.Or(b.Owner, owner); b.Owner == "" {
		c.report(b.Place, "a base has no owner, neither its own nor the file's")
	}
	for i, kind := range b.Kinds {
		oneOf(c, &b.Kinds[i], kind, "kind", BaseRuntime, BaseBuildOnly, BaseFrontend)
	}
	if len(b.Kinds) == 0 {
		b.Kinds = []BaseKind{BaseRuntime}
	}
	if slices.Contains(b.Kinds, BaseFrontend) && len(b.Digests) == 0 {
		c.report(c.at(&b.Kinds, b.Place), "a frontend needs digests: it runs the build, and tags move")
	}
	for i, p := range b.Platforms {
		platform, err := parsePlatform(p)
		if err != nil {
			c.report(c.at(&b.Platforms[i], b.Place), "%v", err)
		}
		b.Platforms[i] = platform
	}
	c.state(b)
	if b.Age.Max != 0 && b.Age.Min >= b.Age.Max {
		c.report(c.at(&b.Age, b.Place), "no image is older than %s and younger than %s", b.Age.Min, b.Age.Max)
	}
	if block, _ := pem.Decode([]byte(b.Signature)); b.Signature != "" && (block == nil || block.Type != "PUBLIC KEY") {
		c.report(c.at(&b.Signature, b.Place), "signature is not a public key in PEM (-----BEGIN PUBLIC KEY-----)")
	}
	c.catalog.bases[b.Repository] = append(c.catalog.bases[b.Repository], &base{Base: *b, match: match, part: c.part})
}

func (c *compiler) state(b *Base) {
	if b.State == "" {
		b.State = StateAllowed
	}
	oneOf(c, &b.State, b.State, "state", StatePreferred, StateAllowed, StateDeprecated, StateBanned)
	if b.State != StateDeprecated && (c.has(&b.Since) || c.has(&b.Until)) {
		c.report(c.at(&b.Until, c.at(&b.Since, b.Place)), "since and until go with state deprecated, and the state is %s", b.State)
	}
	if !b.Since.IsZero() && !b.Until.IsZero() && !b.Since.Begin().Before(b.Until.End()) {
		c.report(c.at(&b.Until, b.Place), "deprecated until %s, which is before since %s", b.Until, b.Since)
	}
}

func (c *compiler) sourceRule(kind string, host, path *string, place finding.Place) {
	if c.need(host, *host, place, "a rule", "host") {
		if err := checkHost(*host); err != nil {
			c.report(c.at(host, place), "%v", err)
		}
		if first, ok := c.hosts[kind+" "+*host]; ok && first.part != c.part {
			c.report(c.at(host, place), "%s sources of %s are listed by %s too, at %s; one part lists a host", kind, *host, first.part.called(), first.place)
		} else if !ok {
			c.hosts[kind+" "+*host] = listedHost{c.part, place}
		}
	}
	if _, err := newLocation("https", *host, *path); *path != "" && err != nil && checkHost(*host) == nil {
		c.report(c.at(path, place), "%v", err)
	}
	if strings.ContainsAny(*path, "*?[]\\%") {
		c.report(c.at(path, place), "path %q is compared by segments, without patterns; leave out what follows the fixed part", *path)
	}
}

// need reports a text that isn't there; one that is empty was reported before.
func (c *compiler) need(ptr any, value string, place finding.Place, what, key string) bool {
	if !c.has(ptr) {
		c.report(place, "%s has no %s", what, key)
	}
	return strings.TrimSpace(value) != ""
}

// notEmpty reports a list without items: what it would mean can only be guessed.
func notEmpty[T any](c *compiler, list *[]T, key string) {
	if at := c.at(list, finding.Place{}); c.has(list) && len(*list) == 0 && !c.reported(at) {
		c.report(at, "%s is an empty list", key)
	}
}

// reported says whether a value was already found wrong, so that one mistake is told once.
func (c *compiler) reported(at finding.Place) bool {
	return slices.ContainsFunc(c.decoder.problems, func(p Problem) bool { return p.Place == at })
}

func (c *compiler) anyOf(ptrs ...any) bool { return slices.ContainsFunc(ptrs, c.has) }

// oneOf reports a value that is none of the known ones.
func oneOf[T ~string](c *compiler, ptr *T, value T, what string, known ...T) {
	if slices.Contains(known, value) || c.reported(c.at(ptr, finding.Place{})) {
		return
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	hint := ""
	if near := nearest(string(value), names); near != "" {
		hint = "; did you mean \"" + near + "\"?"
	}
	c.report(c.at(ptr, finding.Place{}), "%s %q is none of %s%s", what, clip(string(value)), strings.Join(names, ", "), hint)
}
