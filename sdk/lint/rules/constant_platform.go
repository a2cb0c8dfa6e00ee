package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var constantPlatform = lint.Rule{
	ID: "DF1105", Name: "constant-platform", Title: "FROM --platform with a constant value",
	Group: lint.Bases, Severity: finding.Warning, Suppressible: true,
	Aliases: []string{"hadolint:DL3029", "buildkit:FromPlatformFlagConstDisallowed"},
	Run: func(pass *lint.Pass) {
		for _, stage := range pass.File.Stages {
			platform := stage.Platform.Text
			if platform == "" || strings.Contains(platform, "$") || namesPlatform(stage.Name, platform) {
				continue
			}
			pass.Report(stage.Platform, "the stage is %s whatever platform is built; use $BUILDPLATFORM or $TARGETPLATFORM, or name the platform in the stage's name", platform)
		}
	},
}

// namesPlatform says whether a stage's name tells that it is for one platform, as in "AS build-arm64".
func namesPlatform(stage, platform string) bool {
	for part := range strings.SplitSeq(strings.ToLower(platform), "/") {
		if part != "" && strings.Contains(stage, part) {
			return true
		}
	}
	return false
}
