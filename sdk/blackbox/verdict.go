package blackbox

import (
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Status says what became of a step or a scenario.
type Status string

// Everything but Passed keeps a verdict from passing.
const (
	Passed    Status = "passed"
	Failed    Status = "failed"
	Skipped   Status = "skipped"   // a step after one that did not pass
	Undefined Status = "undefined" // nothing matches the step's text
	Ambiguous Status = "ambiguous" // more than one thing matches it
	Pending   Status = "pending"   // a step of your own that says it is not written yet
	Untested  Status = "untested"  // needs an instance of a platform that can't run here
)

// Verdict is what became of a suite. It is plain data and may be marshalled.
type Verdict struct {
	Reference string            `json:"reference"`
	Digest    v1.Hash           `json:"digest"` // of the image or index under test
	Platforms []PlatformResult  `json:"platforms"`
	Features  []FeatureFile     `json:"features"`
	Problems  []finding.Finding `json:"problems,omitempty"` // of features that could not be run
	Runtime   string            `json:"runtime,omitempty"`
	// Weaknesses are what the sandbox could not keep on the machine that it ran on.
	Weaknesses []string      `json:"weaknesses,omitempty"`
	Tool       string        `json:"tool"`
	Version    string        `json:"version,omitempty"`
	Started    time.Time     `json:"started"`
	Duration   time.Duration `json:"duration"`
}

// FeatureFile is a feature as it was read.
type FeatureFile struct {
	Path    string  `json:"path"`
	Digest  v1.Hash `json:"digest"` // SHA-256 of the content
	Content []byte  `json:"-"`
}

// PlatformResult is what became of one platform's image.
type PlatformResult struct {
	Platform string  `json:"platform"` // "linux/amd64"
	Digest   v1.Hash `json:"digest"`   // of the platform's manifest
	// Untested says why scenarios that need an instance could not run; empty when they could.
	Untested  string           `json:"untested,omitempty"`
	Scenarios []ScenarioResult `json:"scenarios"`
}

// ScenarioResult is what became of one scenario; each row of an outline's examples is one.
type ScenarioResult struct {
	ID      string        `json:"id"` // the same in every run over the same features
	Feature string        `json:"feature"`
	Rule    string        `json:"rule,omitempty"`
	Name    string        `json:"name"`
	Tags    []string      `json:"tags,omitempty"` // with their "@"
	Place   finding.Place `json:"place"`
	Status  Status        `json:"status"`
	Steps   []StepResult  `json:"steps"`
	// Loosened lists what the scenario asked for beyond the sandbox's default lock.
	Loosened []string      `json:"loosened,omitempty"`
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"duration"`
}

// StepResult is what became of one step.
type StepResult struct {
	ID          string        `json:"id"`
	Keyword     string        `json:"keyword"` // "Given", "And", ... as written
	Text        string        `json:"text"`
	Table       [][]string    `json:"table,omitempty"`
	DocString   string        `json:"docString,omitempty"`
	Expression  string        `json:"expression,omitempty"` // of the library's step that it is
	Place       finding.Place `json:"place"`
	Background  bool          `json:"background,omitempty"`
	Status      Status        `json:"status"`
	Error       string        `json:"error,omitempty"`
	Expected    string        `json:"expected,omitempty"`
	Found       string        `json:"found,omitempty"`
	Duration    time.Duration `json:"duration"`
	Attachments []Attachment  `json:"attachments,omitempty"`
}

// Attachment is what a step leaves for the reader of the results, such as the end of an instance's log.
type Attachment struct {
	Name      string `json:"name"`
	MediaType string `json:"mediaType"`
	Body      []byte `json:"body"`
}

// Counts returns how many scenarios ended with each status, over all platforms.
func (v *Verdict) Counts() map[Status]int {
	counts := map[Status]int{}
	for _, p := range v.Platforms {
		for _, s := range p.Scenarios {
			counts[s.Status]++
		}
	}
	return counts
}
