package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var copyFromUnknownStage = lint.Rule{
	ID: "DF1111", Name: "copy-from-unknown-stage", Title: "copy from a name that is no stage before it",
	Group: lint.Bases, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"hadolint:DL3022", "hadolint:DL3023"},
	Run: func(pass *lint.Pass) {
		for in := range pass.Instructions("copy", "run") {
			for _, w := range sources(in) {
				if !isImage(pass, in, w) || strings.ContainsAny(w.Text, "/:@$") {
					continue
				}
				pass.Report(w, "no stage before this one is named %q, so an image of that name is fetched from the default registry; name a stage, or the image in full", w.Text)
			}
		}
	},
}
