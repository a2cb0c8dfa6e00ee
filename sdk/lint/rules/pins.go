package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// reportUnpinned reports the packages of an install that name no version. It judges only what is written out.
func reportUnpinned(pass *lint.Pass, c invocation, pinned func(string) bool, form string) {
	for _, p := range c.packages {
		if p.Literal && p.Text != "" && !isLocalPackage(p.Text) && !pinned(p.Text) {
			pass.Report(p.Word(), "%s is installed in whatever version there is that day; name one, as %s", p.Text, strings.ReplaceAll(form, "PACKAGE", p.Text))
		}
	}
}
