package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var openRelay = lint.Rule{
	ID: "DF4006", Name: "open-relay", Title: "mail server, proxy or resolver open to everybody",
	Group: lint.Users, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for _, x := range pass.Texts() {
			if server := opens(x.Text); server != "" {
				pass.Report(x.Word(), "this lets the whole internet use the %s; name the networks that may", server)
			}
		}
	},
}

// opens returns the kind of server that a line of configuration opens to everybody; "" for any other line.
func opens(line string) string {
	line = strings.TrimSpace(line)
	if len(line) < len("mynetworks=::/0") || line[0] == '#' || !strings.ContainsAny(line, " =:") {
		return ""
	}
	line = strings.ToLower(line)
	everybody := strings.Contains(line, "0.0.0.0/0") || strings.Contains(line, "::/0")
	switch {
	case everybody && (strings.Contains(line, "mynetworks") || strings.Contains(line, "relay_nets") || strings.Contains(line, "relay_from_hosts")):
		return "mail server as a relay"
	case strings.Contains(line, "relay_restrictions") && endsInPermit(line), strings.Contains(line, "recipient_restrictions") && endsInPermit(line):
		return "mail server as a relay"
	case strings.Contains(line, "http_access allow all"):
		return "proxy"
	case strings.Contains(line, "allow-recursion") && strings.Contains(line, "any"), everybody && strings.Contains(line, "access-control:") && strings.HasSuffix(line, " allow"):
		return "resolver"
	}
	return ""
}

// endsInPermit says whether a Postfix restriction has nothing but permit in it.
func endsInPermit(line string) bool {
	_, value, ok := strings.Cut(line, "=")
	return ok && strings.Trim(value, ` "'`) == "permit"
}
