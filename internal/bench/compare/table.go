package compare

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Table writes measurements as a table in Markdown, which people can read as it is, too.
func Table(w io.Writer, all []Measured) error {
	rows := [][]string{{"case", "side", "median", "spread", "Plimsoll ÷ side", "also"}}
	var notes []string
	for _, m := range all {
		title := m.Case
		if m.Unit != "" {
			title = fmt.Sprintf("%s, %s %s", m.Case, thousands(m.Size), m.Unit)
		}
		for _, r := range m.Rows {
			rows = append(rows, append([]string{title}, r.cells()...))
			title = ""
		}
		for _, u := range m.Unequal {
			notes = append(notes, fmt.Sprintf("%s: no ratio, the sides did not do the same: %s", m.Case, u))
		}
	}
	var b strings.Builder
	writeAligned(&b, rows)
	for _, note := range notes {
		b.WriteString("\n" + note + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Row) cells() []string {
	name := r.Side
	if r.Kind != Ours {
		name = fmt.Sprintf("%s (%s)", r.Side, r.Kind)
	}
	if r.Missing != "" {
		reason, _, _ := strings.Cut(r.Missing, "\n")
		return []string{name, "-", "-", "-", "not available: " + reason}
	}
	ratio := "-"
	if r.Ratio != 0 {
		ratio = fmt.Sprintf("%.2f", r.Ratio)
	}
	var also []string
	for _, figure := range slices.Sorted(maps.Keys(r.Figures)) {
		also = append(also, number(r.Figures[figure])+" "+figure)
	}
	spread := fmt.Sprintf("%s to %s", duration(r.Min), duration(r.Max))
	return []string{name, duration(r.Median), spread, ratio, strings.Join(also, ", ")}
}

func writeAligned(b *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = strings.ReplaceAll(cell, "|", `\|`)
			widths[i] = max(widths[i], len([]rune(row[i])))
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(b, "| %s%s ", cell, strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		b.WriteString("|\n")
		if n == 0 {
			for _, width := range widths {
				b.WriteString("|" + strings.Repeat("-", width+2))
			}
			b.WriteString("|\n")
		}
	}
}

// duration rounds to three digits: 1.23s, 45.6ms, 789µs.
func duration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	unit := time.Duration(math.Pow10(int(math.Floor(math.Log10(float64(d)))) - 2))
	return d.Round(max(unit, 1)).String()
}

func number(f float64) string {
	if f == math.Trunc(f) {
		return thousands(int(f))
	}
	return fmt.Sprintf("%.2f", f)
}

// thousands groups digits, so that 1000000 and 10000000 look different.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
