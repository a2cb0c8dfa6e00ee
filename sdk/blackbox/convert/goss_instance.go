package convert

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// ready is how long an instance gets until it has what goss looks for at once; dgoss waits, too, if it is told to.
const ready = "within 10 seconds "

func (g *goss) port(name string, r *object) {
	what := "port " + name
	if p := r.text("port"); p != "" {
		name = p
	}
	protocol, number, ok := strings.Cut(name, ":")
	if !ok {
		protocol, number = "tcp", name
	}
	if _, err := strconv.Atoi(number); err != nil || protocol == "udp6" || protocol == "unix" {
		g.leaveAll(what, r, "no step says this of such a port")
		return
	}
	g.title("Port "+name, r)
	g.when("an instance is started")
	udp := strings.HasPrefix(protocol, "udp")
	switch listening := r.isTrue("listening", true); {
	case listening && udp:
		g.then(ready + "the instance listens on the UDP port " + number)
	case listening:
		g.then(ready + "the instance listens on port " + number)
	case udp:
		g.leave(r.lineOf("listening"), what+": listening", "no step says that nothing listens on a UDP port")
	default:
		g.then("the instance does not listen on port " + number)
	}
	if n := r.take("ip"); n != nil && len(n.Content) > 0 && udp {
		g.leave(r.lineOf("ip"), what+": ip", "no step says at which address a UDP port is")
	} else {
		for _, ip := range scalars(n) {
			if q, ok := quote(ip); ok && ip != "" {
				g.then(fmt.Sprintf("%sthe instance listens on port %s at the address %s", ready, number, q))
			} else {
				g.leave(r.lineOf("ip"), what+": ip", "a matcher, which no step has")
			}
		}
	}
}

func (g *goss) process(name string, r *object) {
	what := "process " + name
	if c := r.text("comm"); c != "" {
		name = c
	}
	q, ok := quote(name)
	if !ok {
		g.leaveAll(what, r, whyText)
		return
	}
	g.title("Process "+name, r)
	g.when("an instance is started")
	if r.isTrue("running", true) {
		g.then(ready + "a process " + q + " is running")
	} else {
		g.then("no process " + q + " is running")
	}
}

// shellOnly are what only a shell understands.
const shellOnly = "|&;<>()$`*?[]{}~#\n\\=!"

func (g *goss) command(name string, r *object) {
	what := "command " + name
	line := name
	if e := r.text("exec"); e != "" {
		line = e
	}
	// That there is no such command is what a shell says with this code.
	step, ok := inInstance(line, scalar(r.nodes["exit-status"]) == "127")
	if !ok {
		g.leaveAll(what, r, whyText)
		return
	}
	g.title("Command "+name, r)
	g.when("an instance is started")
	g.when(step)
	g.number(what, r, "exit-status", "the exit code is %s")
	g.patterns(what, r, "stdout", "the standard output")
	g.patterns(what, r, "stderr", "the standard error")
	if v, ok := g.plain(what, r, "timeout"); ok && v != "0" {
		g.then("the command took less than " + v + " milliseconds")
	}
	for _, key := range []string{"retry_count", "retry_delay"} {
		if r.has(key) {
			g.leave(r.lineOf(key), what+": "+key, `write "within N seconds" in front of the step`)
		}
		r.take(key)
	}
}

// inInstance returns the step that runs a line as goss does: with a shell, where it needs one.
func inInstance(line string, shell bool) (string, bool) {
	if !shell && !strings.ContainsAny(line, shellOnly) && strings.Count(line, `"`)%2 == 0 && strings.Count(line, "'")%2 == 0 {
		q, ok := quote(line)
		return "the command " + q + " is run in the instance", ok && strings.TrimSpace(line) != ""
	}
	t, ok := column([]string{"-c", line})
	return `the command "sh" is run in the instance with the arguments` + t, ok
}

// local returns port and path of a URL that leads to the instance itself.
func local(raw string) (u *url.URL, port string, ok bool) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, "", false
	}
	switch u.Hostname() {
	case "localhost", "127.0.0.1", "::1", "0.0.0.0":
	default:
		return nil, "", false
	}
	if port = u.Port(); port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u, port, port != ""
}

func (g *goss) http(name string, r *object) {
	what := "http " + name
	raw := name
	if u := r.text("url"); u != "" {
		raw = u
	}
	u, port, ok := local(raw)
	if !ok || u.Scheme != "http" && u.Scheme != "https" {
		g.leaveAll(what, r, whyFar)
		return
	}
	method := strings.ToUpper(r.text("method"))
	if method == "" {
		method = "GET"
	}
	path := u.RequestURI()
	request, ok := quote(method + " " + path)
	if !ok {
		g.leaveAll(what, r, whyText)
		return
	}
	over := ""
	if u.Scheme == "https" {
		over = "over TLS "
		if !r.isTrue("allow-insecure", false) {
			g.leave(r.line, what, "that the certificate is trusted; a step looks at its name and dates")
		}
	}
	r.take("allow-insecure")
	headers, body := g.headers(what, r), r.text("request-body")
	g.title("HTTP "+name, r)
	g.when("an instance is started")
	send := ready + request + " is sent " + over + "to port " + port
	switch {
	case body != "" && len(headers) > 0:
		g.leave(r.lineOf("request-headers"), what+": request-headers", "no step sends headers and a body; the body is sent")
		fallthrough
	case body != "":
		d, ok := docString(body)
		if !ok {
			g.leave(r.lineOf("request-body"), what+": request-body", whyText)
		}
		send += " with the body" + d
	case len(headers) > 0:
		t, _ := table(headers...)
		send += " with the headers" + t
	}
	g.when(send)
	g.number(what, r, "status", "the response status is %s")
	g.responseHeaders(what, r)
	g.patterns(what, r, "body", "the response body")
	if v, ok := g.plain(what, r, "timeout"); ok && v != "0" {
		g.then("the response took less than " + v + " milliseconds")
	}
	if !r.isTrue("no-follow-redirects", true) { // false by name, and steps follow none
		g.leave(r.lineOf("no-follow-redirects"), what+": no-follow-redirects", "steps do not follow redirects: test the redirect and its target")
	}
	for _, key := range []string{"ca-file", "cert-file", "key-file", "proxy"} {
		if r.text(key) == "" {
			r.take(key)
		}
	}
}

// headers returns the header fields to send.
func (g *goss) headers(what string, r *object) [][]string {
	var rows [][]string
	for _, h := range r.list("request-headers") {
		name, value, ok := strings.Cut(h, ":")
		row := []string{strings.TrimSpace(name), strings.TrimSpace(value)}
		if _, fits := table(row); !ok || !fits {
			g.leave(r.lineOf("request-headers"), what+": request-headers", fmt.Sprintf("%q is no header field", h))
			continue
		}
		rows = append(rows, row)
	}
	if user, password := r.text("username"), r.text("password"); user != "" {
		rows = append(rows, []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))})
	}
	return rows
}

// responseHeaders adds steps for patterns like "Content-Type: application/json".
func (g *goss) responseHeaders(what string, r *object) {
	for _, h := range r.list("headers") {
		name, value, ok := strings.Cut(h, ":")
		n, ok1 := quote(strings.TrimSpace(name))
		v, ok2 := quote(strings.TrimSpace(value))
		if !ok || !ok1 || !ok2 || strings.HasPrefix(h, "!") || strings.HasPrefix(h, "/") {
			g.leave(r.lineOf("headers"), what+": headers", "no step has this pattern")
			continue
		}
		g.then("the response header " + n + " contains " + v)
	}
}

func (g *goss) addr(name string, r *object) {
	what := "addr " + name
	raw := name
	if a := r.text("address"); a != "" {
		raw = a
	}
	u, port, ok := local(raw)
	if !ok || u.Scheme != "tcp" {
		g.leaveAll(what, r, whyFar)
		return
	}
	g.title("Address "+name, r)
	g.when("an instance is started")
	if r.isTrue("reachable", true) {
		g.then(ready + "port " + port + " accepts connections")
	} else {
		g.then("port " + port + " refuses connections")
	}
	r.take("timeout")
	r.take("local-address")
}
