package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/report"
)

// show prints what was done, as far as it came.
func show(w io.Writer, o options, res result, failed error) error {
	if o.json {
		return console.JSON(w, res)
	}
	p := page{w: w, style: console.StyleFor(w)}
	p.delivered(res.Delivered)
	if _, refused := errors.AsType[*finding.GateError](failed); refused {
		p.printf("\n%s\n", p.style.Bad("Refused. Nothing was built."))
	}
	if failed == nil {
		p.image(o, res)
	}
	if res.Refused != nil {
		p.refused(res.Refused)
	}
	return p.err
}

// page prints until the first error.
type page struct {
	w     io.Writer
	style console.Style
	err   error
}

func (p *page) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *page) title(text string) { p.printf("\n%s\n", p.style.Bold(text)) }

func (p *page) delivered(d *pipeline.Delivered) {
	if d == nil {
		return
	}
	p.title("Stages")
	for _, r := range d.Records {
		mark := p.style.Good("done  ")
		if r.Error != "" {
			mark = p.style.Bad("FAILED")
		}
		p.printf("  %-10s %s %8s\n", r.Stage, mark, console.Duration(r.Duration))
	}
	if d.Source.Commit != "" {
		p.title("Definition")
		p.printf("  %s at commit %.12s, %s\n", d.Source.Repository, d.Source.Commit, d.Source.Dockerfile)
	}
	if d.Plan != nil {
		p.bases(d.Plan)
	}
	if d.Diff != "" {
		p.title("What is built instead of what the file says (the repository stays as it is)")
		p.diff(d.Diff)
	}
	p.findings(d)
	if d.Build != nil {
		home := d.Build.Home
		p.title("Build")
		p.printf("  by %s BuildKit %s, steps run by %s\n", home.Name, home.Version, home.Executor)
		for _, weakness := range home.Weaknesses {
			p.printf("  %s %s\n", p.style.Note("weakness:"), weakness)
		}
	}
	p.title("Black-box test")
	if d.Verdict == nil {
		p.printf("  not tested\n")
	} else {
		counts := d.Verdict.Counts()
		p.printf("  %d scenarios passed, %d did not, in %s, on %s\n", counts[blackbox.Passed], total(counts)-counts[blackbox.Passed],
			console.Duration(d.Verdict.Duration), d.Verdict.Runtime)
	}
}

func total(counts map[blackbox.Status]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

func (p *page) bases(plan *catalog.Plan) {
	p.title("Bases")
	for _, d := range plan.Decisions {
		if !d.Input.Reachable {
			continue
		}
		switch {
		case !d.Allowed:
			p.printf("  %s %s for stage %s\n", p.style.Bad("refused"), catalog.Printable(d.Input.Ref), d.Input.Stage)
		case d.Moved:
			p.printf("  %s   %s -> %s for stage %s (%s)\n", p.style.Note("moved"), d.Input.Ref, d.Effective, d.Input.Stage, d.Reason)
		default:
			p.printf("  %s %s for stage %s\n", p.style.Good("allowed"), catalog.Printable(d.Effective), d.Input.Stage)
		}
	}
}

func (p *page) diff(diff string) {
	for line := range strings.Lines(diff) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "+"):
			line = p.style.Good(line)
		case strings.HasPrefix(line, "-"):
			line = p.style.Bad(line)
		}
		p.printf("  %s\n", line)
	}
}

func (p *page) findings(d *pipeline.Delivered) {
	p.title("Findings")
	if d.Plan == nil {
		p.printf("  none: nothing was judged\n")
		return
	}
	r := report.Report{Findings: d.Findings}
	if d.Definition != nil {
		r.Source = console.Source(d.Definition)
	}
	if p.err == nil {
		p.err = report.Text{Color: bool(p.style)}.Write(p.w, r)
	}
}

func (p *page) image(o options, res result) {
	p.title("Image")
	if ref := res.Delivered.Reference; ref != "" {
		p.printf("  %s\n", p.style.Bold(ref))
		p.printf("  pull it:   docker pull %s\n", ref)
		if res.Refused != nil && !o.serve {
			p.printf("             (its registry ends with this program; run again with --serve to keep it up)\n")
		}
	} else {
		p.printf("  %s, not published: name a repository with --registry\n", res.Delivered.Build.Digest)
	}
	p.printf("  on disk:   %s (an OCI layout)\n", res.Delivered.Build.Layout)
}

func (p *page) refused(d *pipeline.Delivered) {
	p.title("And this one is refused, as it should be: " + d.Source.Dockerfile + " hides a base that is not in the catalog")
	p.findings(d)
}
