package rules

import (
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var secretMountCopied = lint.Rule{
	ID: "DF3007", Name: "secret-mount-copied", Title: "mounted secret written into the image",
	Group: lint.Secrets, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for c := range pass.Commands() {
			for _, secret := range secretMounts(c.Script.Instruction) {
				if a, ok := copies(c, secret); ok {
					pass.Report(a.Word(), "%s is written to a file of the layer, where it stays; let the command read it where it is mounted", secret)
				}
			}
		}
	},
}

// copies returns the argument by which a command writes the content of a file to another one.
func copies(c *lint.Command, file string) (lint.Arg, bool) {
	reads := func(a lint.Arg) bool { return a.Text == file || strings.HasPrefix(a.Text, file+"/") }
	switch c.Name {
	case "cp", "install", "mv", "rsync", "tee", "dd":
		operands := c.Operands("-m", "-o", "-g", "-t")
		if i := slices.IndexFunc(operands, reads); i >= 0 && (i < len(operands)-1 || c.Has("-t")) && keeps(c, operands[len(operands)-1].Text) {
			return operands[i], true
		}
		return lint.Arg{}, false
	}
	out := outputFile(c)
	if out == nil || !keeps(c, out.Lit()) {
		return lint.Arg{}, false
	}
	for _, inner := range append(substituted(c), c) {
		if i := slices.IndexFunc(inner.Args, reads); i >= 0 {
			return inner.Args[i], true
		}
	}
	return lint.Arg{}, false
}

// keeps says whether a file that a command wrote is still there when its RUN ends: the same script does not remove it.
func keeps(c *lint.Command, file string) bool {
	return !slices.ContainsFunc(c.Script.Commands, func(other *lint.Command) bool {
		return (other.Name == "rm" || other.Name == "shred") && slices.ContainsFunc(other.Args, func(a lint.Arg) bool { return a.Text == file })
	})
}
