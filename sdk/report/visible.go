package report

import (
	"strconv"
	"strings"
	"unicode"
)

// visible writes control and other unprintable characters as Go escapes and keeps everything else, tabs included.
// Findings quote what strangers wrote: without this a Dockerfile could clear the terminal of whoever reads the report,
// forge lines of it, or turn its text around.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t' || unicode.IsPrint(r):
			b.WriteRune(r)
		case unicode.Is(unicode.Zs, r):
			b.WriteByte(' ')
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}
