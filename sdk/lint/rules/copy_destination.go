package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var copyDestination = lint.Rule{
	ID: "DF6021", Name: "copy-destination", Title: "several files copied to what is not written as a folder",
	Group: lint.Instructions, Severity: finding.Error, Fixes: true,
	Aliases: []string{"hadolint:DL3021"},
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("copy", "add") {
			if len(in.Args) < 3 {
				continue
			}
			dst := in.Args[len(in.Args)-1]
			text := strings.Trim(dst.Text, `"'`)
			if strings.HasSuffix(text, "/") || strings.HasSuffix(text, `\`) || text == "." || text == ".." || strings.HasSuffix(text, "/.") || strings.Contains(text, "$") {
				continue
			}
			r := pass.Report(dst, "the build fails: several files need a folder to go to; write %s/", text)
			if !in.JSON && text == dst.Text {
				r.Fix("add the slash", lint.Insert(dst.End, "/"))
			}
		}
	},
}
