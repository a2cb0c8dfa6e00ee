package blackbox

import (
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// TestResultType is the predicate type of [TestResult].
const TestResultType = "https://in-toto.io/attestation/test-result/v0.1"

// TestResult is the predicate of an in-toto statement about an image
// (https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md). The statement's subject is the
// digest that it was asked for by.
type TestResult struct {
	Result Result `json:"result"`
	// Configuration has a descriptor for each feature, with its digest, and one for the program that ran them.
	Configuration []ResourceDescriptor `json:"configuration"`
	PassedTests   []string             `json:"passedTests,omitempty"`
	WarnedTests   []string             `json:"warnedTests,omitempty"` // could not be run here
	FailedTests   []string             `json:"failedTests,omitempty"`
}

// ResourceDescriptor names a resource (in-toto attestation framework v1).
type ResourceDescriptor struct {
	Name        string            `json:"name,omitempty"`
	URI         string            `json:"uri,omitempty"`
	Digest      map[string]string `json:"digest,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// TestResult returns the predicate for the image of a digest: that of one platform, or the index under test, which
// stands for all platforms. Another digest is an error: a verdict is about what was tested and nothing else.
func (v *Verdict) TestResult(digest v1.Hash) (TestResult, error) {
	var about []PlatformResult
	for _, p := range v.Platforms {
		if p.Digest == digest || v.Digest == digest {
			about = append(about, p)
		}
	}
	if len(about) == 0 {
		return TestResult{}, fmt.Errorf("the verdict is about %s, not about %s", v.Digest, digest)
	}
	part := *v
	part.Platforms = about
	t := TestResult{Result: part.Result(), Configuration: v.configuration(about)}
	for _, p := range about {
		for _, s := range p.Scenarios {
			name := fmt.Sprintf("%s: %s: %s (%s)", s.Place, s.Feature, s.Name, p.Platform)
			switch s.Status {
			case Passed:
				t.PassedTests = append(t.PassedTests, name)
			case Untested:
				t.WarnedTests = append(t.WarnedTests, name)
			default:
				t.FailedTests = append(t.FailedTests, name)
			}
		}
	}
	for _, p := range v.Problems {
		t.FailedTests = append(t.FailedTests, p.String())
	}
	return t, nil
}

func (v *Verdict) configuration(about []PlatformResult) []ResourceDescriptor {
	run := ResourceDescriptor{
		Name: v.Tool, URI: "pkg:golang/github.com/plimsoll-dev/plimsoll",
		Annotations: map[string]string{
			"startedOn":  v.Started.UTC().Format(time.RFC3339),
			"finishedOn": v.Started.Add(v.Duration).UTC().Format(time.RFC3339),
			"sandbox":    or(v.Runtime, "none"),
		},
	}
	if len(v.Weaknesses) > 0 {
		run.Annotations["weaknesses"] = strings.Join(v.Weaknesses, "; ")
	}
	if v.Version != "" {
		run.URI += "@" + v.Version
	}
	for _, p := range about {
		run.Annotations["platform "+p.Platform] = p.Digest.String()
		if p.Untested != "" {
			run.Annotations["untested "+p.Platform] = p.Untested
		}
	}
	all := []ResourceDescriptor{run}
	for _, f := range v.Features {
		all = append(all, ResourceDescriptor{Name: f.Path, Digest: map[string]string{f.Digest.Algorithm: f.Digest.Hex}})
	}
	return all
}
