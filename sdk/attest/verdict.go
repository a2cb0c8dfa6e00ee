package attest

import (
	"time"
)

// The predicate types that Plimsoll knows, beside provenance.Type.
const (
	LintResultType      = "https://plimsoll.dev/attestation/lint/v1"
	TestResultType      = "https://in-toto.io/attestation/test-result/v0.1" // package blackbox makes it
	VulnerabilitiesType = "https://in-toto.io/attestation/vulns/v0.2"
	SPDXType            = "https://spdx.dev/Document" // as cosign and BuildKit name it
	CycloneDXType       = "https://cyclonedx.org/bom"
)

// Result is the outcome of a verdict, in the words of in-toto's test result.
type Result string

// The results.
const (
	Passed Result = "PASSED"
	Warned Result = "WARNED"
	Failed Result = "FAILED"
)

// LintResult is what catalog and rules made of the definition that an image was built from.
type LintResult struct {
	Result Result `json:"result"`
	// Gate is the severity from which on a finding would have stopped the build.
	Gate string `json:"gate"`
	// Definition is the file that was judged: its path in the repository, and the SHA-256 of what was built in its place when
	// the catalog moved a base.
	Definition string `json:"definition"`
	Digest     string `json:"digest"`
	// Catalog is the digest of the catalog that decided.
	Catalog string `json:"catalog"`
	// Rules are the ids of the rules that judged.
	Rules []string `json:"rules,omitempty"`
	// Findings counts what was found, by severity; Suppressed by rule what a reason in the definition set aside.
	Findings   map[string]int `json:"findings,omitempty"`
	Suppressed map[string]int `json:"suppressed,omitempty"`
	Tool       string         `json:"tool"`
	Version    string         `json:"version,omitempty"`
	Finished   time.Time      `json:"finishedOn"`
}
