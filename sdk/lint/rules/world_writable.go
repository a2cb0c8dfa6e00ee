package rules

import (
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

var worldWritable = lint.Rule{
	ID: "DF4004", Name: "world-writable", Title: "files that everybody may write",
	Group: lint.Users, Severity: finding.Warning, Suppressible: true,
	Run: func(pass *lint.Pass) {
		for m := range fileModes(pass) {
			bits, octal := m.octal()
			// With the sticky bit it is a folder such as /tmp, where nobody can replace what is another's.
			if octal && bits&0o002 != 0 && bits&0o1000 == 0 || !octal && m.adds("o", "w") && !m.adds("ugo", "t") {
				pass.Report(m.word(), "mode %s lets every user change the files, also what the service runs; give them to the service's user with --chown", m.text)
			}
		}
		for c := range pass.Commands("umask") {
			if len(c.Args) == 1 && (fileMode{text: c.Args[0].Text}).grantsAll() {
				pass.Report(c.Args[0].Word(), "umask %s makes new files writable for everybody", c.Args[0].Text)
			}
		}
	},
}

// grantsAll says whether a umask leaves everybody the right to write.
func (m fileMode) grantsAll() bool {
	bits, ok := m.octal()
	return ok && bits&0o002 == 0
}
