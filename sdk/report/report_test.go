package report_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

const dockerfile = "\ufeffARG BASE=debian\r\n" +
	"ARG V=12 # größte 🐳\tversion\r\n" +
	"FROM ${BASE}:${V} AS build\r\n" +
	"RUN apt-get update && \\\r\n" +
	"    apt-get install -y curl\r\n"

// at is the place of the first occurrence of a text in the Dockerfile above.
func at(text string) finding.Place {
	offset := strings.Index(dockerfile, text)
	return finding.Place{File: "Dockerfile", Start: position(offset), End: position(offset + len(text))}
}

func position(offset int) finding.Position {
	before := dockerfile[:offset] // every place of the tests is below the first line, where the byte order mark is
	return finding.Position{
		Line:   strings.Count(before, "\n") + 1,
		Column: offset - strings.LastIndex(before, "\n"),
		Offset: offset,
	}
}

// full has every field set and every case that formats treat apart.
func full() report.Report {
	base := at("${BASE}:${V}")
	return report.Report{
		Tool:    report.Tool{Name: "plimsoll", Version: "0.1.0", URL: "https://github.com/plimsoll-dev/plimsoll"},
		Subject: "https://git.example.com/shop.git@3f2a9c1",
		Time:    time.Date(2026, 11, 23, 14, 5, 6, 0, time.FixedZone("CET", 3600)),
		Rules: []report.Rule{
			{ID: "DF1001", Title: "base image is not in the catalog", Doc: "# DF1001\n\nWhy it matters.\n", URL: "https://example.com/rules/DF1001", Severity: finding.Error},
			{ID: "DF3001", Title: "package lists stay in the image"},
		},
		Source:    fstest.MapFS{"Dockerfile": {Data: []byte(dockerfile)}},
		Directory: "services/shop",
		Findings: []finding.Finding{
			{
				Rule: "DF1001", Severity: finding.Error, Place: base, URL: "https://example.com/rules/DF1001",
				Message: `base image "${BASE}:${V}" (debian:12) is not in the catalog`,
				Help:    "choose one of the images in catalog.yaml,\nor ask its owner for an exception",
				Fixes: []finding.Fix{
					{Message: "use debian:12.7", Edits: []finding.Edit{
						{File: "Dockerfile", Start: base.Start.Offset, End: base.End.Offset, New: "debian:12.7"},
						{File: "Dockerfile", Start: 0, End: 0, New: "# pinned\n"},
					}},
				},
				Related: []finding.Related{{Place: at("12 # größte 🐳\tversion"), Message: "the tag comes from this ARG"}},
			},
			{Rule: "DF3002", Severity: finding.Warning, Place: at("version"), Message: "a | pipe, `ticks`, <b>, [a](b), {0} and 100%"},
			{Rule: "DF3001", Severity: finding.Info, Place: at("apt-get update && \\\r\n    apt-get install"), Message: "package lists stay in the image"},
			{Rule: "DF3003", Severity: finding.Warning, Place: finding.Place{File: "Dockerfile"}, Message: "no HEALTHCHECK"},
			{
				Rule: "DF3004", Severity: finding.Error, Place: at("curl"), Message: "curl is banned",
				Suppressed: &finding.Suppression{Kind: "inline", Reason: "needed by the probe", Until: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)},
			},
			{
				Rule: "IM1001", Severity: finding.Error, Message: "runs as root",
				Place: finding.Place{Image: "localhost:5000/shop@sha256:9b2c", Path: "config.User"},
			},
		},
	}
}

func write(t testing.TB, f report.Format, r report.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFormats(t *testing.T) {
	tests := map[string]report.Format{"color": report.Text{Color: true}, "junit-warning": report.JUnit{FailAt: finding.Warning}, "markdown-limit": report.Markdown{Limit: 2}}
	for _, name := range report.Names() {
		f, err := report.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		tests[name] = f
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			golden(t, name, write(t, f, full()))
			golden(t, name+"-empty", write(t, f, report.Report{}))
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); -update writes it anew:\n%s", file, diff)
	}
}

func TestByNameUnknown(t *testing.T) {
	_, err := report.ByName("yaml")
	want := `report format "yaml" is not one of github, gitlab, html, json, junit, markdown, sarif, text`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// failing takes some bytes and fails then.
type failing struct{ room int }

var errFull = errors.New("disk full")

func (f *failing) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return f.room, errFull
	}
	f.room -= len(p)
	return len(p), nil
}

func TestWriteErrorsAreReturned(t *testing.T) {
	for _, name := range report.Names() {
		t.Run(name, func(t *testing.T) {
			f, err := report.ByName(name)
			if err != nil {
				t.Fatal(err)
			}
			size := len(write(t, f, full()))
			for _, room := range []int{0, 1, size - 1} {
				if err := f.Write(&failing{room}, full()); !errors.Is(err, errFull) {
					t.Errorf("after %d of %d bytes: got error %v, want %v", room, size, err, errFull)
				}
			}
			if err := f.Write(&failing{size}, full()); err != nil {
				t.Errorf("after all bytes: %v", err)
			}
		})
	}
}

func TestInvalidSeverityIsRefused(t *testing.T) {
	tests := []struct {
		name, want string
		report     report.Report
	}{
		{
			"finding", "Dockerfile: finding of rule DF1001: severity 0 is not one of info, warning, error",
			report.Report{Findings: []finding.Finding{{Rule: "DF1001", Place: finding.Place{File: "Dockerfile"}}}},
		},
		{
			"rule", "rule DF1001: severity 4 is not one of info, warning, error",
			report.Report{Rules: []report.Rule{{ID: "DF1001", Severity: 4}}},
		},
	}
	for _, tt := range tests {
		for _, name := range report.Names() {
			t.Run(tt.name+" "+name, func(t *testing.T) {
				f, err := report.ByName(name)
				if err != nil {
					t.Fatal(err)
				}
				var b bytes.Buffer
				if err := f.Write(&b, tt.report); err == nil || err.Error() != tt.want {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				if b.Len() > 0 {
					t.Errorf("wrote %q before the error", b.String())
				}
			})
		}
	}
}

func BenchmarkText(b *testing.B)  { benchmark(b, report.Text{}) }
func BenchmarkSARIF(b *testing.B) { benchmark(b, report.SARIF{}) }

func benchmark(b *testing.B, f report.Format) {
	b.Helper()
	r := full()
	for len(r.Findings) < 1000 {
		r.Findings = append(r.Findings, r.Findings...)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Write(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}
