package rules

import (
	"path"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/lint"
)

// isUnder says whether an absolute path is dir or below it.
func isUnder(p, dir string) bool {
	dir = path.Clean(dir)
	return dir != "." && strings.HasPrefix(p, "/") && (p == dir || dir == "/" || strings.HasPrefix(p, dir+"/"))
}

// removes says whether a script removes a directory or what is in it.
func removes(s *lint.Script, dir string) bool {
	for _, c := range s.Commands {
		if c.Name != "rm" && c.Name != "find" {
			continue
		}
		for _, a := range c.Operands() {
			if p := trimGlob(a.Text); len(p) > 1 && isUnder(dir, p) {
				return true
			}
		}
	}
	return false
}

// trimGlob takes the pattern off the end of a path: /var/lib/apt/lists/* is about /var/lib/apt/lists.
func trimGlob(p string) string { return strings.TrimRight(p, "/*{}.[]!,") }
