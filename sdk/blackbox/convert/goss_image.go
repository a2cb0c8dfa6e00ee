package convert

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// plain returns the scalar of an attribute; goss's matchers, which are mappings, are left.
func (g *goss) plain(what string, r *object, key string) (string, bool) {
	n := r.take(key)
	if n == nil || n.Tag == "!!null" {
		return "", false
	}
	if n.Kind != yaml.ScalarNode {
		g.leave(r.lineOf(key), what+": "+key, "a matcher, which no step has")
		return "", false
	}
	return n.Value, true
}

// equals adds a step for an attribute that is text.
func (g *goss) equals(what string, r *object, key, form string) {
	v, ok := g.plain(what, r, key)
	if !ok {
		return
	}
	q, ok := quote(v)
	if !ok {
		g.leave(r.lineOf(key), what+": "+key, whyText)
		return
	}
	g.then(fmt.Sprintf(form, q))
}

// number adds a step for an attribute that is a number.
func (g *goss) number(what string, r *object, key, form string) {
	if v, ok := g.plain(what, r, key); ok {
		g.then(fmt.Sprintf(form, v))
	}
}

// patterns adds steps for what goss looks for in a text: "foo", "!foo", "/re/", "!/re/", or an exact text, or a list.
func (g *goss) patterns(what string, r *object, key, subject string) {
	n := r.take(key)
	if n == nil || n.Tag == "!!null" {
		return
	}
	if n.Kind == yaml.MappingNode {
		g.leave(r.lineOf(key), what+": "+key, "a matcher, which no step has")
		return
	}
	if n.Kind == yaml.ScalarNode { // the whole text
		if n.Value == "" {
			g.then(subject + " does not match '\\S'")
		} else if d, ok := docString(n.Value); ok {
			g.then(subject + " is" + d)
		} else {
			g.leave(n.Line, what+": "+key, whyText)
		}
		return
	}
	for _, item := range n.Content {
		if item = resolve(item); item == nil || item.Kind != yaml.ScalarNode {
			g.leave(r.lineOf(key), what+": "+key, "a matcher, which no step has")
			continue
		}
		g.pattern(item.Line, what+": "+key, item.Value, subject)
	}
}

func (g *goss) pattern(line int, what, p, subject string) {
	predicate, not := "contains ", false
	if strings.HasPrefix(p, "!") {
		p, not = p[1:], true
	}
	p = strings.TrimPrefix(p, `\`) // in front of "!"
	if len(p) > 1 && strings.HasPrefix(p, "/") && strings.HasSuffix(p, "/") {
		p, predicate = p[1:len(p)-1], "matches "
	}
	if not {
		predicate = map[string]string{"contains ": "does not contain ", "matches ": "does not match "}[predicate]
	}
	q, ok := quote(p)
	if !ok {
		g.leave(line, what, whyText)
		return
	}
	g.then(subject + " " + predicate + q)
}

func docString(s string) (string, bool) {
	if strings.Contains(s, `"""`) || strings.ContainsAny(s, `\`) {
		return "", false
	}
	s = strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "${", "$${")
	return "\n  \"\"\"\n  " + strings.ReplaceAll(s, "\n", "\n  ") + "\n  \"\"\"", true
}

var gossTypes = map[string]string{
	"file": "file", "directory": "directory", "symlink": "symlink", "pipe": "pipe", "socket": "socket",
	"character-device": "device", "block-device": "device",
}

func (g *goss) file(name string, r *object) {
	what := "file " + name
	path := name
	if p := r.text("path"); p != "" {
		path = p
	}
	q, ok := quote(path)
	why := ""
	switch {
	case !ok:
		why = whyText
	case !strings.HasPrefix(path, "/"):
		why = "it is relative to a home or working directory"
	case madeByEngine(path):
		why = whyEngine
	}
	if why != "" {
		g.leaveAll(what, r, why)
		return
	}
	g.title("File "+path, r)
	if !r.isTrue("exists", true) {
		g.then("the path " + q + " does not exist")
		r.take("contents")
		return
	}
	g.then("the path " + q + " exists")
	g.equals(what, r, "mode", "the mode of the file "+q+" is %s")
	g.equals(what, r, "owner", "the file "+q+" belongs to the user %s")
	g.equals(what, r, "group", "the file "+q+" belongs to the group %s")
	g.equals(what, r, "uid", "the file "+q+" belongs to the user %s")
	g.equals(what, r, "gid", "the file "+q+" belongs to the group %s")
	g.number(what, r, "size", "the file "+q+" has %s bytes")
	g.equals(what, r, "linked-to", "the link "+q+" leads to %s")
	for _, sum := range []struct{ key, name string }{{"md5", "MD5"}, {"sha256", "SHA-256"}, {"sha512", "SHA-512"}} {
		g.equals(what, r, sum.key, "the "+sum.name+" checksum of the file "+q+" is %s")
	}
	if t, ok := g.plain(what, r, "filetype"); ok {
		if kind, known := gossTypes[t]; known {
			g.then("the path " + q + " is of the type " + kind)
		} else {
			g.leave(r.lineOf("filetype"), what+": filetype", fmt.Sprintf("%q is no type of file", t))
		}
	}
	for _, key := range []string{"contents", "contains"} { // the older name
		g.patterns(what, r, key, "the file "+q)
	}
}

func (g *goss) pkg(name string, r *object) {
	what := "package " + name
	if n := r.text("name"); n != "" {
		name = n
	}
	q, ok := quote(name)
	if !ok {
		g.leaveAll(what, r, whyText)
		return
	}
	g.title("Package "+name, r)
	if !r.isTrue("installed", true) {
		g.then("the package " + q + " is not installed")
		r.take("versions")
		return
	}
	g.then("the package " + q + " is installed")
	n := r.take("versions")
	if n == nil || n.Tag == "!!null" {
		return
	}
	if n.Kind == yaml.MappingNode {
		g.leave(r.lineOf("versions"), what+": versions", "a matcher, which no step has")
		return
	}
	for _, v := range scalars(n) {
		if version, ok := quote(v); ok && v != "" {
			g.then("the package " + q + " is installed in the version " + version)
		} else {
			g.leave(r.lineOf("versions"), what+": versions", "a matcher, which no step has")
		}
	}
}

func (g *goss) user(name string, r *object) {
	what := "user " + name
	if n := r.text("username"); n != "" {
		name = n
	}
	q, ok := quote(name)
	if !ok {
		g.leaveAll(what, r, whyText)
		return
	}
	g.title("User "+name, r)
	if !r.isTrue("exists", true) {
		g.then("the user " + q + " does not exist")
		return
	}
	g.then("the user " + q + " exists")
	g.number(what, r, "uid", "the user "+q+" has the number %s")
	g.number(what, r, "gid", "the user "+q+" has the main group %s")
	g.equals(what, r, "home", "the user "+q+" has the home %s")
	g.equals(what, r, "shell", "the user "+q+" has the shell %s")
	n := r.take("groups")
	if n != nil && n.Kind == yaml.MappingNode {
		g.leave(r.lineOf("groups"), what+": groups", "a matcher, which no step has")
		return
	}
	for _, group := range scalars(n) {
		if gq, ok := quote(group); ok {
			g.then("the user " + q + " is in the group " + gq)
		}
	}
}

func (g *goss) group(name string, r *object) {
	what := "group " + name
	if n := r.text("groupname"); n != "" {
		name = n
	}
	q, ok := quote(name)
	if !ok {
		g.leaveAll(what, r, whyText)
		return
	}
	g.title("Group "+name, r)
	if !r.isTrue("exists", true) {
		g.then("the group " + q + " does not exist")
		return
	}
	g.then("the group " + q + " exists")
	g.number(what, r, "gid", "the group "+q+" has the number %s")
}
