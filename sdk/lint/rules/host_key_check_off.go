package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var hostKeyCheckOff = lint.Rule{
	ID: "DF2018", Name: "host-key-check-off", Title: "ssh told to accept any host key",
	Group: lint.SupplyChain, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		const message = "ssh accepts any server that answers; put the host's key into known_hosts instead"
		for _, x := range pass.Texts() {
			if acceptsAnyHost(x.Text) {
				pass.Report(x.Word(), message)
			}
		}
		for _, s := range pass.Scripts {
			for _, a := range s.Assigns {
				if a.Name == "GIT_SSH_COMMAND" && acceptsAnyHost(a.Value.Text) {
					pass.Report(a.Value.Word(), message)
				}
			}
		}
		for in := range pass.Instructions("env", "arg") {
			for _, p := range in.Pairs() {
				if acceptsAnyHost(p.Value.Text) {
					pass.Report(p.Value, message)
				}
			}
		}
	},
}

// acceptsAnyHost says whether a text switches the check of host keys off, on a command line or in ssh's config.
func acceptsAnyHost(text string) bool {
	if len(text) < len("stricthostkeychecking no") {
		return false
	}
	text = strings.ToLower(text)
	_, value, ok := strings.Cut(text, "stricthostkeychecking")
	value = strings.TrimLeft(value, " \t=")
	return ok && (strings.HasPrefix(value, "no") || strings.HasPrefix(value, "off"))
}
