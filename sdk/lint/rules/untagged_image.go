package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var untaggedImage = lint.Rule{
	ID: "DF1101", Name: "untagged-image", Title: "image named without tag or digest",
	Group: lint.Bases, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"hadolint:DL3006"},
	Run: func(pass *lint.Pass) {
		for _, img := range images.Of(pass) {
			if _, tag, digest := splitRef(img.ref); img.ref != "" && tag == "" && digest == "" {
				img.report(pass, "image %q has no tag, so it means latest; name a version or a digest", img.ref)
			}
		}
	},
}
