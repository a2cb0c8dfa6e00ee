package rules

import (
	"path"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var wholeImageCopied = lint.Rule{
	ID: "DF1112", Name: "whole-image-copied", Title: "image or stage copied whole into the image that is delivered",
	Group: lint.Bases, Severity: finding.Warning,
	Run: func(pass *lint.Pass) {
		for stage := pass.Final(); stage != nil; stage = pass.Parent(stage) {
			for _, in := range stage.Instructions {
				if in.Name != "copy" || !copiesRoot(in) {
					continue
				}
				from, ok := in.Flag("from")
				if !ok || from.Value.Text == "" {
					continue
				}
				what := "stage"
				if isImage(pass, in, from.Value) {
					what = "image"
				}
				pass.Report(from.Value, "everything in the %s %q is copied to /, so the image stands on it without saying so: neither as its base in the "+
					"catalog nor when that base is banned; use FROM, or copy only what is needed", what, from.Value.Text)
			}
		}
	},
}

// copiesRoot says whether a COPY takes all of the other image to all of this one.
func copiesRoot(in *definition.Instruction) bool {
	if len(in.Args) < 2 || path.Clean("/"+in.Args[len(in.Args)-1].Text) != "/" {
		return false
	}
	for _, source := range in.Args[:len(in.Args)-1] {
		switch path.Clean("/" + source.Text) {
		case "/", "/*":
			return true
		}
	}
	return false
}
