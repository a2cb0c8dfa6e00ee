package results

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

//go:embed report.html
var reportTemplate string

// page is what the template prints.
type page struct {
	*blackbox.Verdict
	Result    blackbox.Result
	Counts    []share
	Total     int
	Problems  []finding.Finding
	Platforms []pagePlatform
}

// share is how many scenarios ended with a status.
type share struct {
	Status blackbox.Status
	N      int
	Width  float64 // percent of all
}

type pagePlatform struct {
	blackbox.PlatformResult
	Features [][]blackbox.ScenarioResult
}

// HTML writes a verdict as one page that needs nothing else: no script, no other file, no network. It may be shown with
// "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'".
func HTML(w io.Writer, v *blackbox.Verdict) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"short": short,
		"text":  text,
		"count": count,
		"clock": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"bad":   func(s blackbox.Status) bool { return s != blackbox.Passed && s != blackbox.Skipped },
		"join":  strings.Join,
		"rest":  rest,
		"body":  func(b []byte) string { return text(string(b)) },
	}).Parse(reportTemplate)
	if err != nil {
		return err
	}
	p := page{Verdict: v, Result: v.Result(), Problems: v.Problems}
	counts := v.Counts()
	for _, n := range counts {
		p.Total += n
	}
	for _, s := range []blackbox.Status{blackbox.Passed, blackbox.Untested, blackbox.Pending, blackbox.Undefined, blackbox.Ambiguous, blackbox.Failed, blackbox.Skipped} {
		if n := counts[s]; n > 0 {
			p.Counts = append(p.Counts, share{s, n, 100 * float64(n) / float64(p.Total)})
		}
	}
	for _, platform := range v.Platforms {
		p.Platforms = append(p.Platforms, pagePlatform{platform, byFeature(platform)})
	}
	return t.Execute(w, p)
}

// rest is a step's error without what the page shows beside it: what was expected and found.
func rest(s blackbox.StepResult) string {
	if s.Expected == "" {
		return s.Error
	}
	return strings.Replace(s.Error, fmt.Sprintf(": expected %s, found %s", s.Expected, s.Found), "", 1)
}
