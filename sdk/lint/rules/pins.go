package rules

import (
	"fmt"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// reportUnpinned reports, once for a command, the packages of an install that name no version. It judges only what is
// written out. The form shows how a version is written, with PACKAGE for the first package.
func reportUnpinned(pass *lint.Pass, c invocation, pinned func(string) bool, form string) {
	var loose []lint.Arg
	for _, p := range c.packages() {
		if p.Literal && p.Text != "" && !pinned(p.Text) {
			loose = append(loose, p)
		}
	}
	if len(loose) == 0 {
		return
	}
	name, more := loose[0].Text, ""
	if n := len(loose) - 1; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	pass.Report(loose[0].Word(), "no version for %s%s, so the build takes what there is that day; write %s", name, more, strings.ReplaceAll(form, "PACKAGE", packageName(name)))
}
