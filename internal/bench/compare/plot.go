package compare

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Growth is a plot of how a case's time grows with its size.
type Growth struct {
	measured []Measured
}

// GrowthOf returns the plot of one case's measurements; ok is false where there are fewer than three sizes.
func GrowthOf(measured []Measured) (growth Growth, ok bool) {
	return Growth{measured}, len(measured) > 2
}

// line is the points of one side.
func (g Growth) line(side string) plotter.XYs {
	var points plotter.XYs
	for _, m := range g.measured {
		for _, r := range m.Rows {
			if r.Side == side && r.Missing == "" {
				points = append(points, plotter.XY{X: float64(m.Size), Y: r.Median.Seconds()})
			}
		}
	}
	return points
}

// Slope is the exponent with which a side's time grows with the size, from the smallest to the largest measured: 1 is
// linear, 0 does not grow. ok is false for fewer than two points.
func (g Growth) Slope(side string) (slope float64, ok bool) {
	points := g.line(side)
	if len(points) < 2 {
		return 0, false
	}
	first, last := points[0], points[len(points)-1]
	return math.Log(last.Y/first.Y) / math.Log(last.X/first.X), true
}

// SVG writes the plot, both axes logarithmic.
func (g Growth) SVG(w io.Writer) error {
	last := g.measured[len(g.measured)-1]
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text = last.Doc
	p.X.Label.Text, p.Y.Label.Text = last.Unit, "seconds"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	for i, r := range last.Rows {
		points := g.line(r.Side)
		if len(points) == 0 {
			continue
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		line.Color, line.Width = plotutil.Color(i), vg.Points(1.5)
		dots.Color, dots.Shape = plotutil.Color(i), draw.CircleGlyph{}
		name := r.Side
		if slope, ok := g.Slope(r.Side); ok {
			name = fmt.Sprintf("%s (slope %.2f)", r.Side, slope)
		}
		p.Add(line, dots)
		p.Legend.Add(name, line, dots)
	}
	return save(w, p, 16*vg.Centimeter, 10*vg.Centimeter)
}

// Bars writes a plot of one measurement: a bar for each side that was run.
func Bars(w io.Writer, m Measured) error {
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text, p.X.Label.Text = m.Doc, "seconds (median)"
	var names []string
	for i, r := range slices.Backward(m.Rows) { // the first one ends up on top
		if r.Missing != "" {
			continue
		}
		bar, err := plotter.NewBarChart(plotter.Values{r.Median.Seconds()}, vg.Points(16))
		if err != nil {
			return err
		}
		bar.Horizontal, bar.XMin, bar.Color, bar.LineStyle.Width = true, float64(len(names)), plotutil.Color(i), 0
		names = append(names, r.Side)
		p.Add(bar)
	}
	p.NominalY(names...)
	p.X.Min = 0
	return save(w, p, 16*vg.Centimeter, vg.Length(len(names)+2)*vg.Centimeter)
}

func save(w io.Writer, p *plot.Plot, width, height vg.Length) error {
	canvas := vgsvg.New(width, height)
	p.Draw(draw.New(canvas))
	_, err := canvas.WriteTo(w)
	return err
}
