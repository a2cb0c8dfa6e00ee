package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

const authorsLabel = "org.opencontainers.image.authors"

var maintainer = lint.Rule{
	ID: "DF6016", Name: "maintainer", Title: "MAINTAINER, which LABEL replaces",
	Group: lint.Instructions, Severity: finding.Warning, Suppressible: true, Fixes: true,
	Aliases: []string{"hadolint:DL4000", "buildkit:MaintainerDeprecated"},
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("maintainer") {
			r := pass.Report(in.Keyword, "MAINTAINER is deprecated; use LABEL %s=...", authorsLabel)
			if len(in.Args) != 1 {
				continue
			}
			value := in.Args[0]
			keyword := "LABEL"
			if in.Keyword.Text == strings.ToLower(in.Keyword.Text) {
				keyword = "label"
			}
			if strings.HasPrefix(value.Text, `"`) && strings.HasSuffix(value.Text, `"`) && strings.Count(value.Text, `"`) == 2 {
				value = value.Slice(1, len(value.Text)-1)
			}
			if value.Text != "" && !hasLabel(pass, authorsLabel) && pass.Contiguous(value) && !strings.ContainsAny(value.Text, "\"\\$`\n") {
				r.Fix("use LABEL", lint.Replace(in.Keyword, keyword), lint.Replace(in.Args[0], authorsLabel+`="`+value.Text+`"`))
			}
		}
	},
}

// hasLabel says whether the file sets a label.
func hasLabel(pass *lint.Pass, name string) bool {
	for in := range pass.Instructions("label") {
		for _, p := range in.Pairs() {
			if strings.Trim(p.Name.Text, `"'`) == name {
				return true
			}
		}
	}
	return false
}
