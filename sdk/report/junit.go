package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// JUnit writes JUnit XML, which most CI systems show as test results. Each finding is a test case: failed, passed with a
// note below FailAt, or skipped where it is suppressed. A report without findings has one test case, passed, because
// some CI systems take an empty file for a broken one.
type JUnit struct {
	// FailAt is the severity from which on a finding is a failure; give it what the gate has. Default finding.Error.
	FailAt finding.Severity
}

type junitSuites struct {
	XMLName xml.Name   `xml:"testsuites"`
	Suite   junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Timestamp string      `xml:"timestamp,attr,omitempty"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	File    string        `xml:"file,attr,omitempty"`
	Line    int           `xml:"line,attr,omitempty"`
	Failure *junitMessage `xml:"failure"`
	Skipped *junitMessage `xml:"skipped"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// Write implements [Format].
func (j JUnit) Write(w io.Writer, r Report) error {
	r, err := r.check()
	if err != nil {
		return err
	}
	suite := junitSuite{Name: r.Subject}
	if suite.Name == "" {
		suite.Name = r.Tool.Name
	}
	if !r.Time.IsZero() {
		suite.Timestamp = r.Time.UTC().Format("2006-01-02T15:04:05") // JUnit's schema has no zone
	}
	for _, f := range r.Findings {
		c := j.testcase(r, f)
		if c.Failure != nil {
			suite.Failures++
		}
		if c.Skipped != nil {
			suite.Skipped++
		}
		suite.Cases = append(suite.Cases, c)
	}
	if len(suite.Cases) == 0 {
		suite.Cases = []junitCase{{Class: r.Tool.Name, Name: "no findings"}}
	}
	suite.Tests = len(suite.Cases)

	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", "  ")
	if err := enc.Encode(junitSuites{Suite: suite}); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}

func (j JUnit) testcase(r Report, f finding.Finding) junitCase {
	failAt := j.FailAt
	if failAt == 0 {
		failAt = finding.Error
	}
	c := junitCase{Class: f.Rule, Name: f.Place.String() + ": " + f.Message, Line: f.Place.Start.Line}
	if f.Place.File != "" {
		c.File = r.path(f.Place)
	}
	text := lines(f.String(), f.Help, f.URL)
	switch {
	case f.Suppressed != nil:
		c.Skipped = &junitMessage{Message: f.Suppressed.Reason}
	case f.Severity >= failAt:
		c.Failure = &junitMessage{Message: f.Message, Type: f.Severity.String(), Text: text}
	default:
		c.Out = text
	}
	return c
}

// lines joins those that are not empty.
func lines(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "\n")
}
