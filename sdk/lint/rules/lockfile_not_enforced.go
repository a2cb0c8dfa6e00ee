package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var lockfileNotEnforced = lint.Rule{
	ID: "DF5017", Name: "lockfile-not-enforced", Title: "install that may change the lock file",
	Group: lint.Packages, Severity: finding.Warning, Suppressible: true,
	Run: func(pass *lint.Pass) {
		for c := range invocations(pass, []string{"npm"}, npmValues, []string{"install", "i"}) {
			if len(c.packages()) == 0 && !c.Has("-g", "--global", "--package-lock-only") {
				pass.Report(c.verb.Word(), "npm install takes newer versions than the lock file has when it likes to; use npm ci")
			}
		}
		for c := range pass.Commands("yarn") {
			operands := c.Operands(npmValues...)
			plain := len(operands) == 0 || len(operands) == 1 && operands[0].Text == "install"
			if plain && !c.Has("--frozen-lockfile", "--immutable", "--pure-lockfile", "--version", "-v", "--help") {
				pass.Report(c.NameWord(), "yarn install may change the lock file; add --frozen-lockfile, or --immutable for yarn 2 and later")
			}
		}
		for c := range invocations(pass, []string{"pnpm"}, npmValues, []string{"install", "i"}) {
			if len(c.packages()) == 0 && c.Has("--no-frozen-lockfile") {
				pass.Report(c.verb.Word(), "pnpm is told that it may change the lock file; leave --no-frozen-lockfile out")
			}
		}
		for c := range invocations(pass, []string{"cargo"}, nil, []string{"install"}) {
			if len(c.packages()) > 0 && !c.Has("--locked", "--frozen", "--path", "--list") {
				pass.Report(c.verb.Word(), "cargo install takes newer dependencies than the crate's lock file has; add --locked")
			}
		}
	},
}
