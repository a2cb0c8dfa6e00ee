package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var dangerousCapability = lint.Rule{
	ID: "DF4011", Name: "dangerous-capability", Title: "program given a capability that makes it root",
	Group: lint.Users, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands("setcap") {
			for _, a := range c.Operands() {
				if name := rootCapability(a.Text); name != "" {
					pass.Report(a.Word(), "%s is as good as root to whoever runs the program; give it what it needs, such as cap_net_bind_service", name)
				}
			}
		}
	},
}

// rootCapabilities are those with which a program can become root, or read and write what root can.
var rootCapabilities = []string{
	"cap_sys_admin", "cap_sys_ptrace", "cap_sys_module", "cap_sys_rawio", "cap_dac_override", "cap_dac_read_search", "cap_setuid",
	"cap_setgid", "cap_setfcap", "cap_chown", "cap_fowner", "cap_net_admin", "cap_bpf", "cap_mknod",
}

// rootCapability returns the first of them that a setcap text gives; "all" for all.
func rootCapability(text string) string {
	text = strings.ToLower(text)
	list, _, ok := strings.Cut(text, "=")
	if !ok {
		if list, _, ok = strings.Cut(text, "+"); !ok {
			return ""
		}
	}
	if list == "" || list == "all" {
		return "all"
	}
	for name := range strings.SplitSeq(list, ",") {
		for _, root := range rootCapabilities {
			if strings.TrimSuffix(name, "+ep") == root {
				return root
			}
		}
	}
	return ""
}
