package definition

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
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

// Diff returns what changed when the Dockerfile becomes src, as a patch of the file that people wrote. A compiled
// definition has one where all changes can be made in that file; else the patch is "".
func (d *Definition) Diff(src []byte) string {
	if len(d.Map) == 0 {
		return Diff(d.File.Name, d.File.Src, src)
	}
	edits, ok := d.WrittenEdits(lineEdits(d.File.Name, d.File.Src, src))
	if !ok || len(edits) == 0 || d.Files == nil {
		return ""
	}
	before, err := fs.ReadFile(d.Files, edits[0].File)
	if err != nil {
		return ""
	}
	after, err := Apply(before, edits)
	if err != nil {
		return ""
	}
	return Diff(edits[0].File, before, after)
}

// lineEdits are the edits of lines that have changed, when there are as many as before; else one that can't be mapped.
func lineEdits(name string, before, after []byte) []finding.Edit {
	old, lines := bytes.SplitAfter(before, []byte("\n")), bytes.SplitAfter(after, []byte("\n"))
	if len(old) != len(lines) {
		return []finding.Edit{{File: name, Start: 0, End: len(before), New: string(after)}}
	}
	var edits []finding.Edit
	at := 0
	for i := range old {
		if !bytes.Equal(old[i], lines[i]) {
			text := bytes.TrimRight(old[i], "\r\n")
			edits = append(edits, finding.Edit{File: name, Start: at, End: at + len(text), New: string(bytes.TrimRight(lines[i], "\r\n"))})
		}
		at += len(old[i])
	}
	return edits
}
