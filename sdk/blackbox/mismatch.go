package blackbox

import (
	"fmt"
	"strconv"
	"strings"
)

// Mismatch is the error of a step that found something else than it expects.
type Mismatch struct { //nolint:errname // a finding, as far as a test is concerned
	What     string // what was looked at: `the mode of "/etc/passwd"`
	Expected string
	Found    string
}

func (m *Mismatch) Error() string {
	return fmt.Sprintf("%s: expected %s, found %s", m.What, m.Expected, m.Found)
}

// expect returns nil when ok, else a [Mismatch].
func expect(ok bool, what, expected, found string) error {
	if ok {
		return nil
	}
	return &Mismatch{What: what, Expected: expected, Found: found}
}

// equal expects found to be expected, and prints both quoted.
func equal(what, expected, found string) error {
	return expect(found == expected, what, quote(expected), quote(found))
}

// differ is the opposite of equal.
func differ(what, unexpected, found string) error {
	return expect(found != unexpected, what, "anything but "+quote(unexpected), "just that")
}

// quoteLimit is how much of a long text an error shows; what there is to see is attached in full.
const quoteLimit = 400

// quote prints text for an error: quoted, and cut when it is long.
func quote(s string) string {
	if s == "" {
		return "nothing"
	}
	if len(s) > quoteLimit {
		return fmt.Sprintf("%q... (%d bytes)", strings.ToValidUTF8(s[:quoteLimit], ""), len(s))
	}
	return strconv.Quote(s)
}

// list prints names for an error: quoted, and cut after a few.
func list(names []string) string {
	const most = 8
	switch n := len(names); {
	case n == 0:
		return "none"
	case n > most:
		return list(names[:most]) + fmt.Sprintf(" and %d more", n-most)
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	return strings.Join(quoted, ", ")
}
