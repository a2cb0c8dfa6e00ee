package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/plimsoll-dev/plimsoll/internal/bench/compare"
)

const (
	resultsFile = "internal/bench/RESULTS.md"
	plotsDir    = "internal/bench/plots"
)

// writeResults writes the table of all that was measured, with a plot for each case: of its growth where it has sizes, of
// its sides where not.
func writeResults(all []compare.Measured, machine string) error {
	if err := os.MkdirAll(plotsDir, 0o755); err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Results\n\nMade by `go run ./internal/bench -write` on one machine: %s.\nMedians of rounds in which all sides took turns. "+
		"The ratio is Plimsoll's time divided by the\nside's: below 1 Plimsoll is faster.\n\n", machine)
	if err := compare.Table(&b, all); err != nil {
		return err
	}
	for _, c := range grouped(all) {
		name, err := writePlot(c)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s. Plotted: %s\n\n![%s](plots/%s)\n", c[0].Case, c[0].Doc, machine, c[0].Doc, name)
	}
	return os.WriteFile(resultsFile, b.Bytes(), 0o644)
}

// grouped returns the measurements of each case together.
func grouped(all []compare.Measured) [][]compare.Measured {
	var groups [][]compare.Measured
	for _, m := range all {
		if n := len(groups); n > 0 && groups[n-1][0].Case == m.Case {
			groups[n-1] = append(groups[n-1], m)
			continue
		}
		groups = append(groups, []compare.Measured{m})
	}
	return groups
}

func writePlot(measured []compare.Measured) (string, error) {
	var svg bytes.Buffer
	growth, grows := compare.GrowthOf(measured)
	draw := func() error { return compare.Bars(&svg, measured[len(measured)-1]) }
	if grows {
		draw = func() error { return growth.SVG(&svg) }
	}
	if err := draw(); err != nil {
		return "", err
	}
	name := measured[0].Case + ".svg"
	return name, os.WriteFile(filepath.Join(plotsDir, name), svg.Bytes(), 0o644)
}
