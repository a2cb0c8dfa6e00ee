package convert

import (
	"fmt"
	"io/fs"
	"strings"
)

// StructureTest converts a file of container-structure-test
// (https://github.com/GoogleContainerTools/container-structure-test). File is its name in messages. An error means that
// it is no such file.
func StructureTest(file string, data []byte) (*Converted, error) {
	root, err := parse(file, data)
	if err != nil {
		return nil, err
	}
	if v := root.text("schemaVersion"); v != "1.0.0" && v != "2.0.0" {
		return nil, fmt.Errorf("%s:%d: schemaVersion %q: expected 1.0.0 or 2.0.0", file, root.lineOf("schemaVersion"), v)
	}
	c := &structureTest{writer: newWriter(file)}
	c.runOptions(newObject(root.take("containerRunOptions")))
	c.global = c.environment("globalEnvVars", root.objects("globalEnvVars"))
	for _, t := range root.objects("commandTests") {
		c.command(t)
	}
	for _, t := range root.objects("fileExistenceTests") {
		c.existence(t)
	}
	for _, t := range root.objects("fileContentTests") {
		c.content(t)
	}
	for _, t := range root.objects("licenseTests") {
		c.leave(t.line, "license test", "the list of licenses that it allows is Google's")
	}
	if n := root.take("metadataTest"); n != nil {
		c.metadata(newObject(n))
	}
	for _, key := range root.rest() {
		c.leave(root.lineOf(key), key, "container-structure-test has no such field")
	}
	return c.done("What "+file+" says about the image", "container-structure-test"), nil
}

type structureTest struct {
	*writer
	global []string // names and values, one after the other
	setup  []string // steps that every command needs before it
}

func (c *structureTest) runOptions(o *object) {
	if user := o.text("user"); user != "" {
		if q, ok := quote(user); ok {
			c.setup = append(c.setup, "the user "+q)
		}
	}
	for _, name := range o.list("capabilities") {
		c.setup = append(c.setup, fmt.Sprintf("the capability %q", strings.ToUpper(strings.TrimPrefix(strings.ToLower(name), "cap_"))))
	}
	for _, name := range o.list("envVars") {
		// The tool reads them from its own environment; here they are parameters of the run.
		c.setup = append(c.setup, fmt.Sprintf("the environment\n  | %s | ${%s} |", name, name))
	}
	for _, key := range o.rest() {
		c.leave(o.lineOf(key), "containerRunOptions: "+key, "the sandbox does not do that: no privileges, no terminal, nothing of the host")
	}
}

// environment returns names and values, and leaves what it can't know.
func (c *structureTest) environment(what string, vars []*object) []string {
	var pairs []string
	for _, v := range vars {
		key, value := v.text("key"), v.text("value")
		if strings.Contains(value, "$") {
			c.leave(v.line, what+": "+key, whyEnv)
			continue
		}
		pairs = append(pairs, key, value)
	}
	return pairs
}

var outputs = []struct{ key, step string }{
	{"expectedOutput", "the standard output matches "},
	{"excludedOutput", "the standard output does not match "},
	{"expectedError", "the standard error matches "},
	{"excludedError", "the standard error does not match "},
}

func (c *structureTest) command(t *object) {
	name := t.text("name")
	what := fmt.Sprintf("command test %q", name)
	args := append(t.list("command"), t.list("args")...)
	setup, teardown := t.take("setup"), t.take("teardown")
	code := t.text("exitCode")
	if code == "" {
		code = "0"
	}
	env := append(append([]string(nil), c.global...), c.environment(what, t.objects("envVars"))...)
	run, ok := commandStep(args)
	why := ""
	switch {
	case len(args) == 0:
		why = "it has no command"
	case !ok:
		why = whyText
	case setup != nil && len(setup.Content) > 0:
		why = "it changes the image by commands first: have them in an image of its own"
	case usesEnvironment(args):
		why = whyEnv
	}
	if why != "" {
		c.leave(t.line, what+": exit code", why)
		for _, o := range outputs {
			for range t.list(o.key) {
				c.leave(t.lineOf(o.key), what+": "+o.key, why)
			}
		}
		return
	}
	if teardown != nil && len(teardown.Content) > 0 {
		c.leave(t.lineOf("teardown"), what+": teardown", "nothing is left of an instance that would need it")
	}
	c.scenario("Command: " + name)
	c.given("a writable root filesystem")
	for _, s := range c.setup {
		c.given(s)
	}
	if len(env) > 0 {
		var rows [][]string
		for i := 0; i < len(env); i += 2 {
			rows = append(rows, env[i:i+2])
		}
		if t, ok := table(rows...); ok {
			c.given("the environment" + t)
		}
	}
	c.when(run)
	c.then("the exit code is " + code)
	for _, o := range outputs {
		c.patterns(t, what, o.key, o.step)
	}
	c.unknown(t, what)
}

// patterns adds a step for each regular expression of a list.
func (c *structureTest) patterns(t *object, what, key, step string) {
	for _, pattern := range t.list(key) {
		if q, ok := quote(plainAnchors(pattern)); ok {
			c.then(step + q)
		} else {
			c.leave(t.lineOf(key), what+": "+key, whyText)
		}
	}
}

// plainAnchors keeps "^" and "$" the ends of the text, as Go has them; in a step they are those of lines.
func plainAnchors(pattern string) string {
	if strings.ContainsAny(pattern, "^$") {
		return "(?-m)" + pattern
	}
	return pattern
}

// commandStep returns the step that runs a command in an instance of its own.
func commandStep(args []string) (string, bool) {
	if len(args) == 0 {
		return "", false
	}
	if len(args) == 1 {
		q, ok := quote(shellQuote(args[0]))
		return "the command " + q + " is run", ok
	}
	q, ok := quote(args[0])
	if !ok {
		return "", false
	}
	t, ok := column(args[1:])
	return "the command " + q + " is run with the arguments" + t, ok
}

// shellQuote makes one word of a text for steps that split it into words.
func shellQuote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\"'\\#") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
}

// usesEnvironment says whether arguments have variables that the tool would expand. A shell expands them by itself.
func usesEnvironment(args []string) bool {
	switch args[0] {
	case "sh", "bash", "ash", "dash", "/bin/sh", "/bin/bash":
		return false
	}
	return strings.Contains(strings.Join(args, " "), "$")
}

func (c *structureTest) unknown(t *object, what string) {
	for _, key := range t.rest() {
		c.leave(t.lineOf(key), what+": "+key, "container-structure-test has no such field")
	}
}

func (c *structureTest) existence(t *object) {
	name := t.text("name")
	what := fmt.Sprintf("file existence test %q", name)
	path, why := c.path(t)
	if why != "" {
		c.leaveAll(what, t, why)
		return
	}
	c.scenario("File existence: " + name)
	if !t.isTrue("shouldExist", true) {
		c.then("the path " + path + " does not exist")
		for _, key := range []string{"permissions", "uid", "gid", "isExecutableBy"} { // the tool looks at none of them
			t.take(key)
		}
		c.unknown(t, what)
		return
	}
	c.then("the path " + path + " exists")
	if p := t.text("permissions"); p != "" {
		if mode, kind, ok := permissions(p); ok {
			c.then(fmt.Sprintf("the mode of the file %s is %q", path, mode))
			c.then("the path " + path + " is of the type " + kind)
		} else {
			c.leave(t.lineOf("permissions"), what+": permissions", fmt.Sprintf("%q is not the mode of a file or directory", p))
		}
	}
	for _, owner := range []struct{ key, kind string }{{"uid", "user"}, {"gid", "group"}} {
		if id := t.text(owner.key); id != "" && id != "-1" {
			c.then(fmt.Sprintf("the file %s belongs to the %s %q", path, owner.kind, id))
		}
	}
	if who := t.text("isExecutableBy"); who != "" {
		word, known := map[string]string{"owner": "owner", "group": "group", "other": "others", "any": "anybody"}[who]
		if known {
			c.then("the file " + path + " is executable for " + word)
		} else {
			c.leave(t.lineOf("isExecutableBy"), what+": isExecutableBy", fmt.Sprintf("%q is not one of owner, group, other, any", who))
		}
	}
	c.unknown(t, what)
}

// path returns the path of a test as it is written in a step, or why it can't be.
func (c *structureTest) path(t *object) (quoted, why string) {
	path := t.text("path")
	quoted, ok := quote(path)
	switch {
	case !ok:
		return "", whyText
	case strings.Contains(path, "$"):
		return "", whyEnv
	case madeByEngine(path):
		return "", whyEngine
	}
	return quoted, ""
}

// permissions reads a mode as Go prints it ("drwxr-xr-x", "urwxr-xr-x" with setuid), and returns octal digits and a type.
func permissions(s string) (mode, kind string, ok bool) {
	if len(s) < 10 {
		return "", "", false
	}
	bits, special := s[len(s)-9:], s[:len(s)-9]
	var n fs.FileMode
	for i, c := range bits {
		switch {
		case c == rune("rwxrwxrwx"[i]):
			n |= 1 << (8 - i)
		case c != '-':
			return "", "", false
		}
	}
	kind = "file"
	for _, c := range special {
		switch c {
		case '-':
		case 'd':
			kind = "directory"
		case 'u':
			n |= 0o4000
		case 'g':
			n |= 0o2000
		case 't':
			n |= 0o1000
		default:
			return "", "", false
		}
	}
	return fmt.Sprintf("%04o", uint32(n)), kind, true
}

func (c *structureTest) content(t *object) {
	name := t.text("name")
	what := fmt.Sprintf("file content test %q", name)
	path, why := c.path(t)
	if why != "" {
		c.leaveAll(what, t, why)
		return
	}
	c.scenario("File content: " + name)
	c.patterns(t, what, "expectedContents", "the file "+path+" matches ")
	c.patterns(t, what, "excludedContents", "the file "+path+" does not match ")
	c.unknown(t, what)
}
