package rules

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var copyBeforeInstall = lint.Rule{
	ID: "DF6014", Name: "copy-before-install", Title: "everything copied before dependencies are installed",
	Group: lint.Instructions, Severity: finding.Info, Suppressible: true,
	Run: func(pass *lint.Pass) {
		for _, stage := range pass.File.Stages {
			var all *definition.Instruction
			for _, in := range stage.Instructions {
				if all == nil && copiesEverything(in) {
					all = in
				}
				if all != nil && in.Name == "run" && runs(pass, in, installsDependencies) {
					pass.Report(all.Keyword, "any change of any file installs all dependencies again; copy the lock file first, install, then copy the rest").
						Related(in.Keyword, "installed here")
					break
				}
				if all == nil && in.Name == "run" && runs(pass, in, installsDependencies) {
					break
				}
			}
		}
	},
}

// copiesEverything says whether an instruction copies the whole build context.
func copiesEverything(in *definition.Instruction) bool {
	if _, from := in.Flag("from"); from || in.Name != "copy" && in.Name != "add" || len(in.Args) != 2 {
		return false
	}
	return isOneOf(in.Args[0].Text, ".", "./", "/", "*", "./*")
}

// installsDependencies says whether a command installs what a lock file or its like names.
func installsDependencies(c *lint.Command) bool {
	if len(c.Args) == 0 {
		return c.Name == "yarn"
	}
	verb := c.Args[0].Text
	switch c.Name {
	case "npm", "pnpm":
		return verb == "ci" || (verb == "install" || verb == "i") && len(c.Operands(npmValues...)) == 1
	case "yarn":
		return verb == "install" || strings.HasPrefix(verb, "--") && verb != "--version"
	case "pip", "pip3":
		return verb == "install" && c.Has("-r", "--requirement")
	case "go":
		return verb == "mod" && len(c.Args) > 1 && c.Args[1].Text == "download"
	case "bundle", "bundler", "composer", "poetry", "pipenv", "uv":
		return verb == "install" || verb == "sync"
	case "mvn":
		return strings.HasPrefix(verb, "dependency:")
	}
	return false
}
