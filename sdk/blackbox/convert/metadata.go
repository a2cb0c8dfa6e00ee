package convert

import (
	"fmt"
	"strings"
)

// metadata converts the one metadata test of a file.
func (c *structureTest) metadata(t *object) {
	const what = "metadata test"
	c.scenario("Metadata")
	for _, v := range t.objects("envVars") {
		c.pair(v, what+": envVars", "the image sets the variable %s to %s", "the variable %s of the image matches %s")
	}
	for _, v := range t.objects("unboundEnvVars") {
		c.one(v.line, what+": unboundEnvVars", v.text("key"), "the image does not set the variable %s")
	}
	for _, v := range t.objects("labels") {
		c.pair(v, what+": labels", "the label %s of the image is %s", "the label %s of the image matches %s")
	}
	for _, p := range t.list("exposedPorts") {
		c.port(t.lineOf("exposedPorts"), what+": exposedPorts", p, "the image exposes the port %s", "the image exposes the UDP port %s")
	}
	for _, p := range t.list("unexposedPorts") {
		c.port(t.lineOf("unexposedPorts"), what+": unexposedPorts", p, "the image does not expose the port %s", "")
	}
	for _, v := range t.list("volumes") {
		c.one(t.lineOf("volumes"), what+": volumes", v, "the image has the volume %s")
	}
	for _, v := range t.list("unmountedVolumes") {
		c.one(t.lineOf("unmountedVolumes"), what+": unmountedVolumes", v, "the image does not have the volume %s")
	}
	c.words(t, what, "entrypoint", "entrypoint")
	c.words(t, what, "cmd", "command")
	if dir := t.text("workdir"); dir != "" {
		c.one(t.lineOf("workdir"), what+": workdir", dir, "the working directory of the image is %s")
	}
	if user := t.text("user"); user != "" {
		c.one(t.lineOf("user"), what+": user", user, "the image runs as the user %s")
	}
	c.unknown(t, what)
}

// pair adds a step with a key and a value, which may be a regular expression.
func (c *structureTest) pair(v *object, what, equal, matches string) {
	key, value, form := v.text("key"), v.text("value"), equal
	if v.isTrue("isRegex", false) {
		value, form = plainAnchors(value), matches
	}
	k, ok := quote(key)
	q, ok2 := quote(value)
	if !ok || !ok2 {
		c.leave(v.line, what+": "+key, whyText)
		return
	}
	c.then(fmt.Sprintf(form, k, q))
}

func (c *structureTest) one(line int, what, value, form string) {
	q, ok := quote(value)
	if !ok {
		c.leave(line, what, whyText)
		return
	}
	c.then(fmt.Sprintf(form, q))
}

func (c *structureTest) port(line int, what, port, tcp, udp string) {
	number, protocol, _ := strings.Cut(port, "/")
	switch {
	case protocol == "" || protocol == "tcp":
		c.then(fmt.Sprintf(tcp, number))
	case protocol == "udp" && udp != "":
		c.then(fmt.Sprintf(udp, number))
	default:
		c.leave(line, what+": "+port, "no step tells the protocols of a port apart")
	}
}

// words compares an argument vector; one that is there and empty must be empty in the image.
func (c *structureTest) words(t *object, what, key, noun string) {
	if !t.has(key) {
		return
	}
	words := t.list(key)
	if len(words) == 0 {
		c.then("the image has no " + noun)
		return
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = shellQuote(w)
	}
	c.one(t.lineOf(key), what+": "+key, strings.Join(quoted, " "), "the "+noun+" of the image is %s")
}
