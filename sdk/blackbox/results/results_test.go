package results_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	messages "github.com/cucumber/messages/go/v21"
	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/results"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

const feature = `Feature: The payment service
  Scenario: It answers
    When an instance is started with the environment
      | PORT | 8080 |
    Then within 10 seconds "GET /health" on port 8080 answers 200
    And the log contains "ready"

  @slow
  Scenario Outline: It has <file>
    Then the file "<file>" exists

    Examples:
      | file        |
      | /etc/passwd |
      | /etc/<x>    |
`

func place(line int) finding.Place {
	return finding.Place{File: "pay.feature", Start: finding.Position{Line: line, Column: 5}}
}

// verdict is one with everything in it.
func verdict() *blackbox.Verdict {
	digest := func(c string) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: strings.Repeat(c, 64)} }
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	start := blackbox.StepResult{
		Keyword: "When", Text: "an instance is started with the environment", Expression: "an instance is started with the environment",
		Table: [][]string{{"PORT", "8080"}}, Place: place(3), Status: blackbox.Passed, Duration: 320 * time.Millisecond,
	}
	answers := blackbox.StepResult{
		Keyword: "Then", Text: `within 10 seconds "GET /health" on port 8080 answers 200`, Expression: "{string} on port {int} answers {int}",
		Place: place(5), Status: blackbox.Failed, Duration: 10 * time.Second,
		Error:    "still so after 10s: the status of GET /health: expected 200, found 503 Service Unavailable",
		Expected: "200", Found: "503 Service Unavailable",
		Attachments: []blackbox.Attachment{{Name: "stderr of instance", MediaType: "text/plain", Body: []byte("no database\x1b[31m <&>\n")}},
	}
	log := blackbox.StepResult{Keyword: "And", Text: `the log contains "ready"`, Expression: "the log contains {string}", Place: place(6), Status: blackbox.Skipped}
	exists := func(file string, status blackbox.Status) []blackbox.StepResult {
		return []blackbox.StepResult{{Keyword: "Then", Text: `the file "` + file + `" exists`, Expression: "the file {string} exists", Place: place(10), Status: status, Duration: time.Millisecond}}
	}
	untested := start
	untested.Status, untested.Error, untested.Duration = blackbox.Untested, "no emulation of arm64", 0
	return &blackbox.Verdict{
		Reference: "registry.example/pay:1", Digest: digest("a"), Runtime: "docker", Weaknesses: []string{"the engine has no system call filter"}, Tool: "plimsoll", Version: "v0.1.0",
		Started: at, Duration: 12 * time.Second,
		Features: []blackbox.FeatureFile{{Path: "pay.feature", Digest: digest("f"), Content: []byte(feature)}, {Path: "broken.feature", Digest: digest("0"), Content: []byte("Featur: x\n")}},
		Problems: []finding.Finding{{
			Rule: "BB1001", Severity: finding.Error, Message: `"Featur: x" stands where the feature begins`,
			Place: finding.Place{File: "broken.feature", Start: finding.Position{Line: 1, Column: 1}},
		}},
		Platforms: []blackbox.PlatformResult{
			{Platform: "linux/amd64", Digest: digest("b"), Scenarios: []blackbox.ScenarioResult{
				{
					ID: "1", Feature: "The payment service", Name: "It answers", Place: place(2), Status: blackbox.Failed, Started: at, Duration: 10320 * time.Millisecond,
					Loosened: []string{"writable root filesystem"}, Steps: []blackbox.StepResult{start, answers, log},
				},
				{ID: "2", Feature: "The payment service", Name: "It has /etc/passwd", Tags: []string{"@slow"}, Place: place(14), Status: blackbox.Passed, Started: at, Duration: time.Millisecond, Steps: exists("/etc/passwd", blackbox.Passed)},
				{ID: "3", Feature: "The payment service", Name: "It has /etc/<x>", Tags: []string{"@slow"}, Place: place(15), Status: blackbox.Passed, Started: at, Duration: time.Millisecond, Steps: exists("/etc/<x>", blackbox.Passed)},
			}},
			{Platform: "linux/arm64", Digest: digest("c"), Untested: "no emulation of arm64", Scenarios: []blackbox.ScenarioResult{
				{ID: "1", Feature: "The payment service", Name: "It answers", Place: place(2), Status: blackbox.Untested, Started: at, Steps: []blackbox.StepResult{untested, log, log}},
			}},
		},
	}
}

func TestForms(t *testing.T) {
	for name, write := range results.Formats() {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b, verdict()); err != nil {
				t.Fatal(err)
			}
			// What Go and which machine wrote them is in the messages.
			got := strings.NewReplacer(runtime.Version(), "GO", `"name":"`+runtime.GOARCH+`"`, `"name":"ARCH"`, `"name":"`+runtime.GOOS+`"`, `"name":"OS"`).Replace(b.String())
			file := filepath.Join("testdata", name)
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
				t.Errorf("(-want +got)\n%s", diff)
			}
			if strings.ContainsRune(got, 0x1b) {
				t.Error("an escape sequence of a log got through")
			}
		})
	}
}

func TestFormsAreWellFormed(t *testing.T) {
	var junit, cucumber, lines, html bytes.Buffer
	v := verdict()
	for w, write := range map[*bytes.Buffer]results.Write{&junit: results.JUnit, &cucumber: results.CucumberJSON, &lines: results.Messages, &html: results.HTML} {
		if err := write(w, v); err != nil {
			t.Fatal(err)
		}
	}
	var suites struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Skipped  int `xml:"skipped,attr"`
	}
	if err := xml.Unmarshal(junit.Bytes(), &suites); err != nil || suites.Tests != 5 || suites.Failures != 1 || suites.Errors != 1 || suites.Skipped != 1 {
		t.Errorf("JUnit: %+v, %v", suites, err)
	}
	var features []map[string]any
	if err := json.Unmarshal(cucumber.Bytes(), &features); err != nil || len(features) != 3 {
		t.Errorf("Cucumber JSON: %d features, %v", len(features), err)
	}
	finished := 0
	for s := bufio.NewScanner(&lines); s.Scan(); {
		var e messages.Envelope
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatalf("message %s: %v", s.Bytes(), err)
		}
		if e.TestCaseFinished != nil {
			finished++
		}
	}
	if finished != 4 {
		t.Errorf("%d test cases are in the messages, want 4", finished)
	}
	if outside := regexp.MustCompile(`(?i)<script|<link|<img|src=|https?://|url\(`).FindString(html.String()); outside != "" {
		t.Errorf("the page needs something else: %s", outside)
	}
}

// What was expected and found is on the page once.
func TestHTMLSaysAMismatchOnce(t *testing.T) {
	v := &blackbox.Verdict{Platforms: []blackbox.PlatformResult{{Platform: "linux/amd64", Scenarios: []blackbox.ScenarioResult{{
		Name: "S", Status: blackbox.Failed, Steps: []blackbox.StepResult{{
			Text: "the file is owned", Status: blackbox.Failed, Expected: "user-1234", Found: "user-5678",
			Error: "still so after 1s: the owner of /x: expected user-1234, found user-5678",
		}},
	}}}}}
	var page bytes.Buffer
	if err := results.HTML(&page, v); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"user-1234", "user-5678", "still so after 1s: the owner of /x"} {
		if n := strings.Count(page.String(), text); n != 1 {
			t.Errorf("%q is on the page %d times", text, n)
		}
	}
}
