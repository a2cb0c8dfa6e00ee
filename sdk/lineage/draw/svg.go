package draw

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// Sizes in pixels.
const (
	rowHeight   = 24
	boxHeight   = 18
	charWidth   = 6.2 // of the font below, on average
	gap         = 90  // between columns
	margin      = 20
	legend      = 30 // height
	legendWidth = 860
	maxLabel    = 60 // characters; the whole is in the tooltip
)

// SVG draws the graph. Pointing at a node or a line tells the rest: digest, owner, evidence.
func SVG(w io.Writer, g lineage.Graph) error {
	l := newLayout(g)
	labels := make([]string, len(g.Nodes))
	widths := make([]float64, len(l.order)) // of columns
	for i, n := range g.Nodes {
		labels[i] = short(label(n))
		widths[l.column[i]] = max(widths[l.column[i]], float64(utf8.RuneCountInString(labels[i]))*charWidth+12)
	}
	left := make([]float64, len(l.order)+1)
	left[0] = margin
	for c, width := range widths {
		left[c+1] = left[c] + width + gap
	}
	height := 0.0
	for _, row := range l.row {
		height = max(height, (row+1)*rowHeight)
	}
	width := max(left[len(left)-1]-gap+margin, legendWidth)
	height += 2*margin + legend

	b := bufio.NewWriter(w)
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="DejaVu Sans, Verdana, sans-serif" font-size="10">`+"\n", width, height, width, height)
	fmt.Fprint(b, `<rect width="100%" height="100%" fill="#ffffff"/>`+"\n")
	key(b, g.More)
	top := func(i int) float64 { return margin + legend + l.row[i]*rowHeight }
	for _, link := range g.Links {
		x1, y1 := left[l.column[link.Below]]+widths[l.column[link.Below]], top(link.Below)+boxHeight/2
		x2, y2 := left[l.column[link.Above]], top(link.Above)+boxHeight/2
		if x1 > x2 { // twins, and circles
			x1, x2 = left[l.column[link.Below]], left[l.column[link.Above]]
		}
		bend := max(gap/2, (x2-x1)/2)
		if x1 == x2 {
			bend = -gap / 2
		}
		fmt.Fprintf(b, `<path d="M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f" fill="none" stroke="%s"%s><title>%s</title></path>`+"\n",
			x1, y1, x1+bend, y1, x2-abs(bend), y2, x2, y2, colour(link.Edge.Grade), dashes(link.Edge.Role), escaped(said(link.Edge)))
	}
	for i, n := range g.Nodes {
		stroke, fill, thick := "#57606a", "#f6f8fa", "1"
		if n.Meant {
			stroke, fill, thick = "#cf222e", "#ffebe9", "2"
		}
		x, y := left[l.column[i]], top(i)
		fmt.Fprintf(b, `<g><title>%s</title><rect x="%.1f" y="%.1f" width="%.1f" height="%d" rx="4" fill="%s" stroke="%s" stroke-width="%s"/><text x="%.1f" y="%.1f" fill="#1f2328">%s</text></g>`+"\n",
			escaped(tooltip(n)), x, y, widths[l.column[i]], boxHeight, fill, stroke, thick, x+6, y+boxHeight-5.5, escaped(labels[i]))
	}
	fmt.Fprint(b, "</svg>\n")
	return b.Flush()
}

func abs(x float64) float64 { return max(x, -x) }

func dashes(r lineage.Role) string {
	if r.Runtime() {
		return ""
	}
	return ` stroke-dasharray="4 3"`
}

// key explains the colours.
func key(b *bufio.Writer, more int) {
	x := float64(margin)
	say := func(text, stroke, dash string) {
		fmt.Fprintf(b, `<path d="M%.1f %dh18" stroke="%s" stroke-width="2"%s/><text x="%.1f" y="%d" fill="#57606a">%s</text>`+"\n", x, margin, stroke, dash, x+22, margin+3, text)
		x += 34 + float64(len(text))*charWidth
	}
	for _, grade := range lineage.Grades() {
		say(grade.String(), colour(grade), "")
	}
	say("at work in the build", "#57606a", dashes(lineage.RoleStage))
	if more > 0 {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" fill="#cf222e">and %d more</text>`+"\n", x, margin+3, more)
	}
}

func short(s string) string {
	s = visible(s)
	if n := utf8.RuneCountInString(s); n > maxLabel {
		return "…" + string([]rune(s)[n-maxLabel+1:])
	}
	return s
}

func tooltip(n lineage.Node) string {
	lines := []string{n.Name}
	add := func(what, value string) {
		if value != "" {
			lines = append(lines, what+value)
		}
	}
	add("", n.Image.Digest)
	add("", n.Image.Platform)
	add("owner: ", n.Image.Owner)
	add("built from ", n.Image.Definition.String())
	add("", n.Image.Note)
	return strings.Join(lines, ", ")
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(visible(s))) // a strings.Builder takes everything
	return b.String()
}
