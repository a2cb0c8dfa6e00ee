package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var addURLWithoutChecksum = lint.Rule{
	ID: "DF2006", Name: "add-url-without-checksum", Title: "ADD of a URL without --checksum",
	Group: lint.SupplyChain, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("add") {
			if _, ok := in.Flag("checksum"); ok || len(in.Args) < 2 {
				continue
			}
			for _, src := range in.Args[:len(in.Args)-1] {
				if isURL(src.Text) && !isGit(src.Text) {
					pass.Report(src, "ADD takes whatever the server sends; name what it should be with --checksum=sha256:...")
				}
			}
		}
	},
}

// isURL says whether ADD fetches a source over http.
func isURL(src string) bool {
	src = strings.ToLower(strings.Trim(src, `"'`))
	return strings.HasPrefix(src, "http://") || strings.HasPrefix(src, "https://")
}

// isGit says whether ADD clones a source, as BuildKit decides it.
func isGit(src string) bool {
	src = strings.Trim(src, `"'`)
	address, _, _ := strings.Cut(src, "#")
	address, _, _ = strings.Cut(address, "?")
	switch {
	case strings.HasPrefix(src, "git@"), strings.HasPrefix(src, "git://"), strings.HasPrefix(src, "ssh://"):
		return true
	case strings.HasPrefix(src, "github.com/"), isURL(src):
		return strings.HasSuffix(address, ".git") || strings.HasPrefix(src, "github.com/")
	}
	return false
}
