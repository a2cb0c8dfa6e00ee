package rules

import (
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var tlsDisabled = lint.Rule{
	ID: "DF2003", Name: "tls-disabled", Title: "command told not to verify the server's certificate",
	Group: lint.SupplyChain, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands() {
			if arg, ok := insecureArg(c); ok {
				pass.Report(arg.Word(), "%s is told to accept any certificate; trust the right CA instead", c.Name)
			}
		}
	},
}

// insecureFlags are those that switch verification off, by command.
var insecureFlags = map[string][]string{
	"curl":   {"-k", "--insecure", "--proxy-insecure", "--doh-insecure"},
	"wget":   {"--no-check-certificate"},
	"aria2c": {"--check-certificate=false"},
	"pip":    {"--trusted-host"}, "pip3": {"--trusted-host"}, "pipx": {"--trusted-host"},
	"uv":     {"--allow-insecure-host", "--trusted-host"},
	"helm":   {"--insecure-skip-tls-verify"},
	"skopeo": {"--src-tls-verify=false", "--dest-tls-verify=false", "--tls-verify=false"},
	"conda":  {"--insecure"}, "mamba": {"--insecure"},
	"oras": {"--insecure"}, "crane": {"--insecure"},
}

// insecureSettings are arguments in which one of these words switches verification off, whatever option carries them.
// They are in lower case.
var insecureSettings = map[string][]string{
	"git":      {"http.sslverify=false", "http.sslverify=0", "http.sslverify false"},
	"npm":      {"strict-ssl=false", "strict-ssl false"},
	"yarn":     {"strict-ssl=false", "strict-ssl false", "enablestrictssl false"},
	"pnpm":     {"strict-ssl=false", "strict-ssl false"},
	"composer": {"disable-tls true", "secure-http false"},
	"apt-get":  {"verify-peer=false", "verify-host=false", "verify-peer=0"},
	"apt":      {"verify-peer=false", "verify-host=false"},
	"yum":      {"sslverify=false", "sslverify=0"},
	"dnf":      {"sslverify=false", "sslverify=0"},
	"conda":    {"ssl_verify false", "ssl_verify no"},
	"go":       {"-insecure"},
	"apk":      {"--no-verify-certificate"},
	"gem":      {":ssl_verify_mode: 0"},
}

func insecureArg(c *lint.Command) (lint.Arg, bool) {
	flags, settings := insecureFlags[c.Name], insecureSettings[c.Name]
	if len(flags) == 0 && len(settings) == 0 {
		return lint.Arg{}, false
	}
	for i, a := range c.Args {
		if a.Is(flags...) && (slices.Contains(flags, a.Text) || !strings.HasSuffix(a.Text, "=false")) {
			return a, true
		}
		text := strings.ToLower(a.Text)
		if i+1 < len(c.Args) {
			text += " " + strings.ToLower(c.Args[i+1].Text)
		}
		for _, s := range settings {
			if at := strings.Index(text, s); at >= 0 && at < len(a.Text) {
				return a, true
			}
		}
	}
	return lint.Arg{}, false
}
