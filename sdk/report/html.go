package report

import (
	"bytes"
	_ "embed"
	"html/template"
	"io"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// HTML writes a page that needs nothing else: no script, no font, no image, and nothing is loaded from anywhere. It
// shows what [Text] shows.
type HTML struct{}

//go:embed report.html.tmpl
var page string

// htmlFinding is a finding with its excerpt, if there is one.
type htmlFinding struct {
	finding.Finding
	Excerpt *excerpt
}

// Write implements [Format].
func (HTML) Write(w io.Writer, r Report) error {
	r, err := r.check()
	if err != nil {
		return err
	}
	tmpl, err := template.New("report").Funcs(template.FuncMap{"visible": visible}).Parse(page)
	if err != nil {
		return err
	}
	src := newSource(r.Source).hiding(r.Findings)
	findings := make([]htmlFinding, len(r.Findings))
	for i, f := range r.Findings {
		findings[i].Finding = f
		if e, ok := src.excerpt(f.Place); ok {
			findings[i].Excerpt = &e
		}
	}
	var when string
	if !r.Time.IsZero() {
		when = r.Time.UTC().Format(time.RFC3339)
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, map[string]any{"Report": r, "Counts": r.count(), "When": when, "Findings": findings}); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}
