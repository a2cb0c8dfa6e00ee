package definition

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Diff returns what changed between two versions of a file as a unified diff with three lines of context that
// `git apply` and `patch -p1` take, "" when nothing did. The name is the path in the repository, with slashes.
func Diff(name string, before, after []byte) string {
	body := diff.Diff("a", before, "b", after)
	if body == nil {
		return ""
	}
	for range 3 { // its own header: git wants another, and odd names quoted
		_, body, _ = bytes.Cut(body, []byte("\n"))
	}
	a, b := quotePath("a/"+name), quotePath("b/"+name)
	tab := ""
	if strings.Contains(name, " ") {
		tab = "\t" // ends a name with spaces
	}
	return fmt.Sprintf("diff --git %s %s\n--- %s%s\n+++ %s%s\n%s", a, b, a, tab, b, tab, body)
}

// quotePath writes a path as git does: in C quotes when it has control characters, quotes or backslashes.
func quotePath(path string) string {
	if !strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '"' || r == '\\' }) {
		return path
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(path) {
		switch c := path[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
