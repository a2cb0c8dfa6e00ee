package results

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
)

// The elements that CI systems read; there is no standard, but https://github.com/testmoapp/junitxml says what is usual.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr,omitempty"`
		File       string          `xml:"file,attr,omitempty"`
		Properties []junitProperty `xml:"properties>property,omitempty"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		Class     string        `xml:"classname,attr"`
		Time      string        `xml:"time,attr"`
		File      string        `xml:"file,attr,omitempty"`
		Line      int           `xml:"line,attr,omitempty"`
		Failure   *junitMessage `xml:"failure"`
		Error     *junitMessage `xml:"error"`
		Skipped   *junitMessage `xml:"skipped"`
		SystemOut string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes a verdict for CI: a test suite for each feature and platform, a test case for each scenario. What could
// not be tested is skipped with the reason; features that could not be run are errors.
func JUnit(w io.Writer, v *blackbox.Verdict) error {
	all := junitSuites{Name: text(v.Reference), Time: seconds(v.Duration)}
	for _, p := range v.Platforms {
		for _, scenarios := range byFeature(p) {
			all.add(featureSuite(v, p, scenarios))
		}
	}
	if len(v.Problems) > 0 {
		all.add(problemSuite(v))
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (a *junitSuites) add(s junitSuite) {
	a.Suites = append(a.Suites, s)
	a.Tests += s.Tests
	a.Failures += s.Failures
	a.Errors += s.Errors
	a.Skipped += s.Skipped
}

func featureSuite(v *blackbox.Verdict, p blackbox.PlatformResult, scenarios []blackbox.ScenarioResult) junitSuite {
	suite := junitSuite{
		Name: fmt.Sprintf("%s (%s)", text(scenarios[0].Feature), p.Platform), File: scenarios[0].Place.File, Tests: len(scenarios),
		Timestamp: v.Started.UTC().Format("2006-01-02T15:04:05"),
		Properties: []junitProperty{
			{"image", text(v.Reference)},
			{"digest", p.Digest.String()},
			{"platform", p.Platform},
			{"sandbox", v.Runtime},
			{"tool", strings.TrimSpace(v.Tool + " " + v.Version)},
		},
	}
	var sum time.Duration
	for _, s := range scenarios {
		sum += s.Duration
		c := junitCase{Name: text(s.Name), Class: suite.Name, Time: seconds(s.Duration), File: s.Place.File, Line: s.Place.Start.Line}
		step, decided := bad(s)
		message := &junitMessage{Message: text(step.Keyword + " " + step.Text + ": " + step.Error), Type: string(s.Status)}
		switch {
		case s.Status == blackbox.Passed:
		case s.Status == blackbox.Untested:
			suite.Skipped++
			c.Skipped = &junitMessage{Message: text(p.Untested)}
		case !decided:
			suite.Errors++
			c.Error = &junitMessage{Message: "the scenario did not run to its end", Type: string(s.Status)}
		default:
			suite.Failures++
			message.Text = text(step.Place.String() + "\n" + step.Error)
			c.Failure = message
		}
		c.SystemOut = attachments(s)
		suite.Cases = append(suite.Cases, c)
	}
	suite.Time = seconds(sum)
	return suite
}

func problemSuite(v *blackbox.Verdict) junitSuite {
	suite := junitSuite{Name: "Features that could not be run", Tests: len(v.Problems), Errors: len(v.Problems), Time: "0"}
	for _, p := range v.Problems {
		suite.Cases = append(suite.Cases, junitCase{
			Name: p.Place.String(), Class: suite.Name, Time: "0", File: p.Place.File, Line: p.Place.Start.Line,
			Error: &junitMessage{Message: text(p.Message), Type: p.Rule, Text: text(p.String())},
		})
	}
	return suite
}

func attachments(s blackbox.ScenarioResult) string {
	var b strings.Builder
	for _, step := range s.Steps {
		for _, a := range step.Attachments {
			fmt.Fprintf(&b, "%s:\n%s\n", text(a.Name), text(string(a.Body)))
		}
	}
	return b.String()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
