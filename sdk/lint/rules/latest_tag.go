package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var latestTag = lint.Rule{
	ID: "DF1102", Name: "latest-tag", Title: "image named with the tag latest",
	Group: lint.Bases, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"hadolint:DL3007"},
	Run: func(pass *lint.Pass) {
		for _, img := range images.Of(pass) {
			if _, tag, digest := splitRef(img.ref); tag == "latest" && digest == "" {
				img.report(pass, "image %q moves with every release; name a version or a digest", img.ref)
			}
		}
	},
}
