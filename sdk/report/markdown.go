package report

import (
	"bufio"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Markdown writes a summary in GitHub's dialect, for a step summary or a comment: the counts and a table of findings,
// suppressed ones in a table of their own.
type Markdown struct {
	// Limit is how many findings each table shows; the rest is counted. Default 100, which stays far below what a step
	// summary (1 MiB) may have.
	Limit int
}

// Write implements [Format].
func (m Markdown) Write(w io.Writer, r Report) error {
	r, err := r.check()
	if err != nil {
		return err
	}
	var open, suppressed []finding.Finding
	for _, f := range r.Findings {
		if f.Suppressed == nil {
			open = append(open, f)
		} else {
			suppressed = append(suppressed, f)
		}
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "### %s: %s\n", markdown(r.Tool.Name), r.count())
	if r.Subject != "" {
		fmt.Fprintf(out, "\n%s\n", code(r.Subject))
	}
	if len(open) > 0 {
		fmt.Fprint(out, "\n| | Place | Finding | Rule |\n| --- | --- | --- | --- |\n")
		m.rows(out, r, open, func(f finding.Finding) string { return markdown(f.Help) })
	}
	if len(suppressed) > 0 {
		fmt.Fprint(out, "\n<details><summary>Suppressed</summary>\n\n| | Place | Finding | Rule |\n| --- | --- | --- | --- |\n")
		m.rows(out, r, suppressed, func(f finding.Finding) string { return "Suppressed: " + markdown(f.Suppressed.Reason) })
		fmt.Fprint(out, "\n</details>\n")
	}
	return out.Flush()
}

// rows writes the rows of a table; more is what follows the message on a line of its own.
func (m Markdown) rows(out *bufio.Writer, r Report, findings []finding.Finding, more func(finding.Finding) string) {
	limit := m.Limit
	if limit <= 0 {
		limit = 100
	}
	icons := [...]string{finding.Info: "ℹ️", finding.Warning: "⚠️", finding.Error: "❌"}
	for _, f := range findings[:min(limit, len(findings))] {
		text := markdown(f.Message)
		if s := more(f); s != "" {
			text += "<br>" + s
		}
		place := f.Place
		if place.File != "" {
			place.File = r.path(place)
		}
		fmt.Fprintf(out, "| %s %s | %s | %s | %s |\n", icons[f.Severity], f.Severity, code(place.String()), text, link(f.Rule, f.URL))
	}
	if n := len(findings) - limit; n > 0 {
		fmt.Fprintf(out, "\nand %d more\n", n)
	}
}

// markdown makes text that Markdown shows as it is, on one line and inside of a table. Character references are text
// in every place of CommonMark and can't be taken for markup.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString("<br>")
		case r < ' ':
			b.WriteByte(' ')
		case strings.ContainsRune("&<>|`*_[]\\~@#!", r):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func code(s string) string { return "<code>" + markdown(s) + "</code>" }

// link links a rule to its page, if it has one on the web.
func link(rule, page string) string {
	u, err := url.Parse(page)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return markdown(rule)
	}
	return `<a href="` + markdown(strings.ReplaceAll(u.String(), `"`, "%22")) + `">` + markdown(rule) + "</a>"
}
