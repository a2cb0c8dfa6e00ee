package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var plainHTTP = lint.Rule{
	ID: "DF2008", Name: "plain-http", Title: "download over http",
	Group: lint.SupplyChain, Severity: finding.Warning, Suppressible: true,
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("add") {
			if _, ok := in.Flag("checksum"); ok {
				continue
			}
			for _, src := range in.Args {
				if isPlainHTTP(src.Text) {
					pass.Report(src, "anyone between the build and the server can change what comes over http; use https")
				}
			}
		}
		checked := verifications(pass)
		for c := range pass.Commands("curl", "wget", "git", "pip", "pip3", "npm", "yarn", "gem", "aria2c", "axel", "cpan", "cpanm", "R", "Rscript") {
			for _, a := range c.Args {
				url := a.Text
				if _, value, ok := strings.Cut(url, "="); ok && a.IsFlag() {
					url = value
				}
				if isPlainHTTP(url) && !isProxyFlag(a.Text) && !verifiedLater(c.Script.Instruction, checked) {
					pass.Report(a.Word(), "anyone between the build and the server can change what %s gets over http; use https", c.Name)
				}
			}
		}
	},
}

func isPlainHTTP(url string) bool {
	url = strings.ToLower(strings.Trim(url, `"'`))
	return strings.HasPrefix(url, "http://") && !isLocalURL(url)
}

func isProxyFlag(arg string) bool { return strings.Contains(arg, "proxy") }
