package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var labelName = lint.Rule{
	ID: "DF6025", Name: "label-name", Title: "LABEL with a name that tools may refuse",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true,
	Aliases: []string{"hadolint:DL3048"},
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("label") {
			for _, p := range in.Pairs() {
				if name := strings.Trim(p.Name.Text, `"'`); !strings.Contains(name, "$") && !isLabelName(name) {
					pass.Report(p.Name, "label %s is not in Docker's form: lower-case letters, digits, and single dots, dashes or underscores in between", name)
				}
			}
		}
	},
}

// isLabelName checks Docker's guidelines for names of labels.
func isLabelName(name string) bool {
	for _, reserved := range []string{"com.docker.", "io.docker.", "org.dockerproject."} {
		if strings.HasPrefix(name, reserved) {
			return false
		}
	}
	var last byte = '.'
	for i := range len(name) {
		c := name[i]
		separator := c == '.' || c == '-' || c == '_' || c == '/'
		lower := c >= 'a' && c <= 'z' || c >= '0' && c <= '9' && i > 0
		if !separator && !lower || separator && (last == '.' || last == '-' || last == '/') {
			return false
		}
		last = c
	}
	return name != "" && last != '.' && last != '-' && last != '_' && last != '/'
}
