package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var setuid = lint.Rule{
	ID: "DF4003", Name: "setuid", Title: "program made setuid",
	Group: lint.Users, Severity: finding.Error,
	Run: func(pass *lint.Pass) {
		for m := range fileModes(pass) {
			bits, octal := m.octal()
			if octal && bits&0o4000 != 0 || !octal && m.adds("u", "s") {
				pass.Report(m.word(), "mode %s lets whoever runs the program become its owner; give the service's user the right it needs instead", m.text)
			}
		}
	},
}
