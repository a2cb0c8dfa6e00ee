package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var foreignFrontend = lint.Rule{
	ID: "DF2010", Name: "foreign-frontend", Title: "# syntax names a frontend that is not Docker's",
	Group: lint.SupplyChain, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		ref, ok := frontend(pass.File)
		if !ok {
			return
		}
		name, _, _ := splitRef(ref.Text)
		switch strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "index.docker.io/") {
		case "docker/dockerfile", "docker/dockerfile-upstream":
		default:
			pass.Report(ref, "the frontend %s decides what this file means and what the build reads; use docker/dockerfile or none", ref.Text)
		}
	},
}

// frontend returns the image that a syntax directive names.
func frontend(f *definition.File) (definition.Word, bool) {
	d, ok := f.Directive("syntax")
	if !ok {
		return definition.Word{}, false
	}
	end := strings.IndexAny(d.Value.Text, " \t")
	if end < 0 {
		end = len(d.Value.Text)
	}
	return d.Value.Slice(0, end), true
}
