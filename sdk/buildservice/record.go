package buildservice

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"testing/fstest"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/results"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/internal/store"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/report"
)

// kept is what remains of a delivery.
type kept struct {
	Findings []finding.Finding `json:"findings,omitempty"`
	Inputs   []api.Input       `json:"inputs,omitempty"`
	Stages   []api.Stage       `json:"stages,omitempty"`
	// Judged says that the rules have looked: without it no findings means nothing.
	Judged bool `json:"judged,omitempty"`
	// Name and Dockerfile are the definition's file and text, for excerpts; Directory is where it lies.
	Name       string `json:"name,omitempty"`
	Dockerfile string `json:"dockerfile,omitempty"`
	Directory  string `json:"directory,omitempty"`
	// Verdict are the reports about the black-box tests, by the name of their artifact.
	Verdict map[string]string `json:"verdict,omitempty"`
	// Diff is what was built instead of what the definition says.
	Diff string `json:"diff,omitempty"`
	// Delivered is all of it, for machines.
	Delivered json.RawMessage `json:"delivered,omitempty"`
}

// record writes what remains of a delivery for the store.
func record(d *pipeline.Delivered) []byte {
	if d == nil {
		return nil
	}
	k := kept{Findings: d.Findings, Diff: d.Diff, Directory: d.Source.Directory, Verdict: map[string]string{}}
	for _, r := range d.Records {
		k.Stages = append(k.Stages, api.Stage{Name: r.Stage, Started: r.Started, Milliseconds: r.Duration.Milliseconds(), Error: r.Error})
		k.Judged = k.Judged || r.Stage == "lint"
	}
	if d.Plan != nil {
		for _, decision := range d.Plan.Decisions {
			in := decision.Input
			k.Inputs = append(k.Inputs, api.Input{
				Kind: string(in.Kind), Requested: in.Ref, Effective: decision.Effective, Digest: decision.Digest, Platform: in.Platform, Place: in.Place.String(),
			})
		}
	}
	if d.Definition != nil {
		k.Name, k.Dockerfile = d.Definition.File.Name, string(d.Definition.File.Src)
	}
	if d.Verdict != nil {
		for format, name := range map[string]string{"html": "verdict.html", "junit": "verdict.xml", "cucumber": "verdict.json"} {
			var b bytes.Buffer
			if err := results.Formats()[format](&b, d.Verdict); err == nil {
				k.Verdict[name] = b.String()
			}
		}
	}
	if d.Build != nil {
		d.Build.Layout = "" // it is removed with the run
	}
	if text, err := json.Marshal(d); err == nil {
		k.Delivered = text
	}
	text, err := json.Marshal(k)
	if err != nil {
		return nil // a finding without a severity: lint's tests find such rules
	}
	return text
}

// formats are the artifacts that are made of findings, by name.
var formats = map[string]string{
	"report.json": "json", "report.sarif": "sarif", "report.html": "html", "report.txt": "text", "report.xml": "junit", "report.md": "markdown",
}

// artifacts lists the names of what can be had.
func (k *kept) artifacts() []string {
	var names []string
	if k.Judged {
		names = slices.Collect(maps.Keys(formats))
	}
	names = slices.AppendSeq(names, maps.Keys(k.Verdict))
	if len(k.Delivered) > 0 {
		names = append(names, "record.json")
	}
	if k.Diff != "" {
		names = append(names, "build.patch")
	}
	slices.Sort(names)
	return names
}

// write writes an artifact.
func (k *kept) write(w io.Writer, b *store.Build, name string) error {
	switch {
	case name == "record.json":
		_, err := w.Write(k.Delivered)
		return err
	case name == "build.patch":
		_, err := io.WriteString(w, k.Diff)
		return err
	case k.Verdict[name] != "":
		_, err := io.WriteString(w, k.Verdict[name])
		return err
	}
	format, err := report.ByName(formats[name])
	if err != nil {
		return err
	}
	return format.Write(w, report.Report{
		Subject: b.Request.Repository + "@" + b.Request.Commit, Findings: k.Findings, Source: k.source(), Directory: k.Directory,
	})
}

// source has the definition's file alone.
func (k *kept) source() fs.FS {
	return fstest.MapFS{k.Name: {Data: []byte(k.Dockerfile)}}
}

// kept reads what remains of a build; an empty one when nothing does yet.
func (s *Service) kept(ctx context.Context, id string) (*kept, error) {
	text, err := s.store.Result(ctx, id)
	if err != nil || text == nil {
		return &kept{}, err
	}
	k := &kept{}
	if err := json.Unmarshal(text, k); err != nil {
		return nil, fmt.Errorf("what remains of the build %s: %w", id, err)
	}
	return k, nil
}

// contentTypes are those of artifacts, by the end of their names.
var contentTypes = map[string]string{
	".json": "application/json", ".sarif": "application/sarif+json", ".html": "text/html; charset=utf-8", ".xml": "application/xml",
	".txt": "text/plain; charset=utf-8", ".md": "text/markdown; charset=utf-8", ".patch": "text/x-diff; charset=utf-8",
}
