package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"

	"github.com/plimsoll-dev/plimsoll/modules/plimsoll/internal/dagger"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/report"
)

// Format is a format of reports.
type Format string

const (
	Text     Format = "text"
	JSON     Format = "json"
	SARIF    Format = "sarif"
	JUnit    Format = "junit"
	GitHub   Format = "github"
	GitLab   Format = "gitlab"
	Markdown Format = "markdown"
	HTML     Format = "html"
)

// Report is what was found, for looking at; assert fails on it.
type Report struct {
	Files   *dagger.Directory // +private
	Refusal string            // +private
}

// newReport writes findings in all formats, since they are looked at later.
func newReport(found []finding.Finding, source fs.FS, subject string, refusal error) (*Report, error) {
	r := &Report{Files: dag.Directory()}
	doc := report.Report{Findings: found, Source: source, Subject: subject}
	for _, name := range report.Names() {
		format, err := report.ByName(name)
		if err != nil {
			return nil, err
		}
		var text bytes.Buffer
		if err := format.Write(&text, doc); err != nil {
			return nil, err
		}
		r.Files = r.Files.WithNewFile(name, text.String())
	}
	if refusal != nil {
		r.Refusal = refusal.Error()
	}
	return r, nil
}

// What was found, each with its place and the way out, as text
func (r *Report) Findings(ctx context.Context) (string, error) {
	return r.Files.File(string(Text)).Contents(ctx)
}

// What was found, as a file in a format
func (r *Report) Report(
	// Format of the file
	// +default="text"
	format Format,
) *dagger.File {
	return r.Files.File(string(format))
}

// What was found, for code scanning
func (r *Report) Sarif() *dagger.File { return r.Files.File(string(SARIF)) }

// What was found, as a page
func (r *Report) Html() *dagger.File { return r.Files.File(string(HTML)) }

// Fail when something was found that is not let through
func (r *Report) Assert(_ context.Context) error {
	if r.Refusal == "" {
		return nil
	}
	return errors.New(r.Refusal)
}
