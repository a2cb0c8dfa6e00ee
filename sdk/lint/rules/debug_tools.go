package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var debugTools = lint.Rule{
	ID: "DF5024", Name: "debug-tools", Title: "tool for looking around left in the image",
	Group: lint.Packages, Severity: finding.Info, Suppressible: true,
	Run: func(pass *lint.Pass) {
		reportLeft(pass, debugToolNames, "%s helps an attacker more than the service; keep it in a debug image or container")
	},
}

var debugToolNames = []string{
	"bind-tools", "bind-utils", "dnsutils", "emacs", "gdb", "inetutils-telnet", "iputils-ping", "ltrace", "lsof", "mtr", "nano", "ncat", "net-tools",
	"netcat", "netcat-openbsd", "netcat-traditional", "nc", "nmap", "nmap-ncat", "socat", "strace", "tcpdump", "telnet", "traceroute",
	"tshark", "vim", "vim-enhanced", "vim-tiny", "wireshark",
}
