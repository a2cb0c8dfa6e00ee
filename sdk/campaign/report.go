package campaign

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage/draw"
)

//go:embed report.html
var reportHTML string

var reportPage = template.Must(template.New("report").Funcs(template.FuncMap{
	"when": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"tags": func(tags []string) string { return strings.Join(tags, ", ") },
	"short": func(ref string) string {
		name, digest, _ := strings.Cut(ref, "@")
		return name + "@" + clip(digest, 19)
	},
}).Parse(reportHTML))

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// JSON writes the campaign as one document.
func JSON(w io.Writer, s *State) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(s)
}

// HTML writes the campaign as one page that needs nothing else: the timeline, what was done, what is left to whom, what was
// measured, and the part of the lineage that the ban is about.
func HTML(w io.Writer, s *State) error {
	page := struct {
		*State
		Marks             []mark
		Line              template.HTML
		Graph             template.HTML
		More              int
		Rebased, Rebuilt  int
		Reason, Effect    string
		Evidence, Ongoing string
	}{State: s, Marks: s.Timeline.marks(), Line: timeline(s), Reason: s.Preview.reason(), Effect: s.Preview.effect(), Evidence: s.Preview.evidence()}
	page.Rebased, page.Rebuilt = s.Replaced()
	if !s.Phase.Over() {
		page.Ongoing = "as of " + s.Changed.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	if s.Graph != nil {
		var svg bytes.Buffer
		if err := draw.SVG(&svg, *s.Graph); err != nil {
			return err
		}
		_, body, _ := strings.Cut(svg.String(), "<svg")
		page.Graph, page.More = template.HTML("<svg"+body), s.Graph.More //nolint:gosec // package draw escapes what it is given
	}
	return reportPage.Execute(w, page)
}

// timeline draws the marks along a line whose length is the time from the ban until all was safe, or until now.
func timeline(s *State) template.HTML {
	const width, left, right = 900, 20, 20
	end := s.Timeline.AllSafe
	if end.IsZero() {
		end = s.Changed
	}
	whole := max(end.Sub(s.Timeline.Banned), time.Millisecond)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d 110" role="img" aria-label="timeline"><line class="axis" x1="%d" y1="55" x2="%d" y2="55"/>`, width, left, width-right)
	all := append([]mark{{What: "banned", At: s.Timeline.Banned}}, s.Timeline.marks()...)
	for i, m := range all {
		x := left + int(float64(width-left-right)*min(1, float64(m.At.Sub(s.Timeline.Banned))/float64(whole)))
		y := []int{20, 36, 80, 96}[i%4] // neighbours that are close in time do not cover each other
		anchor := "middle"
		switch {
		case x < 120:
			anchor = "start"
		case x > width-120:
			anchor = "end"
		}
		label := m.What
		if m.What != "banned" {
			label += " +" + m.After.String()
		}
		fmt.Fprintf(&b, `<line class="tick" x1="%d" y1="55" x2="%d" y2="%d"/><circle cx="%d" cy="55" r="5"/><text x="%d" y="%d" text-anchor="%s">%s</text>`,
			x, x, y+map[bool]int{true: 4, false: -11}[y < 55], x, x, y, anchor, template.HTMLEscapeString(label))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // made of numbers and escaped words
}
