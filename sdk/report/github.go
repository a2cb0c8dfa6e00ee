package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// GitHub writes workflow commands, one line for each finding, which GitHub Actions turns into annotations of the commit
// or pull request. Suppressed findings are left out. GitHub shows ten errors, ten warnings and ten notices of a step;
// SARIF has no such limit. Columns count UTF-16 code units and need Report.Source.
type GitHub struct{}

// Write implements [Format].
func (GitHub) Write(w io.Writer, r Report) error {
	r, err := r.check()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	src := newSource(r.Source)
	for _, f := range r.Findings {
		if f.Suppressed == nil {
			fmt.Fprintln(out, command(r, src, f))
		}
	}
	return out.Flush()
}

func command(r Report, src *source, f finding.Finding) string {
	var props []string
	property := func(name, value string) {
		props = append(props, name+"="+githubProperty.Replace(value))
	}
	number := func(name string, n int) {
		if n > 0 {
			property(name, fmt.Sprint(n))
		}
	}
	p, message := f.Place, f.Message
	if p.File == "" {
		message = p.String() + ": " + message
	} else {
		property("file", r.path(p))
		number("line", p.Start.Line)
		number("endLine", p.End.Line)
		if p.End.Line == 0 || p.End.Line == p.Start.Line { // GitHub refuses columns of a range over several lines
			number("col", src.column(p.File, p.Start))
			number("endColumn", src.column(p.File, p.End))
		}
	}
	property("title", f.Rule)
	message = lines(message, f.Help, f.URL)
	level := [...]string{finding.Info: "notice", finding.Warning: "warning", finding.Error: "error"}[f.Severity]
	return "::" + level + " " + strings.Join(props, ",") + "::" + githubData.Replace(message)
}

// What the runner decodes again, so that text can neither end a command nor begin another.
var (
	githubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
