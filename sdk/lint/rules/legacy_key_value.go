package rules

import (
	"strings"
	"unicode"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var legacyKeyValue = lint.Rule{
	ID: "DF6015", Name: "legacy-key-value", Title: "ENV or LABEL without an equals sign",
	Group: lint.Instructions, Severity: finding.Warning, Suppressible: true, Fixes: true, SameBuild: true,
	Aliases: []string{"buildkit:LegacyKeyValueFormat"},
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("env", "label") {
			for _, p := range in.Pairs() {
				if p.Separator != " " {
					continue
				}
				r := pass.Report(p.Name, "%s %s value takes the rest of the line as the value, and the form is going away; write %s=value", in.Keyword.Text, p.Name.Text, p.Name.Text)
				if edits, ok := withEquals(pass.File, p); ok {
					r.Fix("write name=value", edits...)
				}
			}
		}
	},
}

// withEquals writes a pair as name=value. A value with space needs quotes; what has quotes or escapes of its own may mean
// something else then and is left alone.
func withEquals(f *definition.File, p definition.Pair) ([]finding.Edit, bool) {
	gap := string(f.Src[p.Name.End.Offset:p.Value.Start.Offset])
	value := p.Value.Text
	special := func(r rune) bool {
		return r == '\\' || r == '"' || r == '\'' || r == rune(f.Escape) || unicode.IsSpace(r) && r != ' ' && r != '\t'
	}
	if strings.TrimLeft(gap, " \t") != "" || value == "" || strings.ContainsFunc(p.Name.Text+value, special) {
		return nil, false
	}
	equals := lint.Delete(p.Name.End, p.Value.Start)
	equals.New = "="
	if !strings.ContainsAny(value, " \t") {
		return []finding.Edit{equals}, true
	}
	equals.New = `="`
	return []finding.Edit{equals, lint.Insert(p.Value.End, `"`)}, true
}
