package lint

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// baselineVersion is the format's; a reader refuses any other.
const baselineVersion = 1

// maxBaseline bounds what [ReadBaseline] reads: 16 MiB.
const maxBaseline = 16 << 20

// Baseline is a list of findings that were there when a team began to lint. With [Config.Baseline] they are marked as
// suppressed, so that only new ones fail. It is a ratchet: [Baseline.Shrink] takes out what was fixed and never adds.
//
// A finding is known again by its rule, its file, its stage's name and the text at its place, not by its line: editing the file
// elsewhere does not make it new. Whoever may write the baseline may let findings pass: keep it where the owner of the
// policy reviews it.
type Baseline struct {
	Version int     `json:"version"`
	Known   []Known `json:"known"`
}

// Known is a finding, or several that look the same, that the baseline lets pass.
type Known struct {
	Rule string `json:"rule"`
	File string `json:"file"`
	// Message is the finding's, for people.
	Message string `json:"message,omitempty"`
	// Fingerprint is what decides.
	Fingerprint string `json:"fingerprint"`
	// Count is how many there may be.
	Count int `json:"count"`
}

// ReadBaseline reads a baseline as [Baseline.Write] writes it. Unknown fields, a foreign version and entries that could
// never match are errors.
func ReadBaseline(r io.Reader) (*Baseline, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBaseline+1))
	if err != nil {
		return nil, fmt.Errorf("lint baseline: %w", err)
	}
	if len(data) > maxBaseline {
		return nil, fmt.Errorf("lint baseline: larger than %d bytes", maxBaseline)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var b Baseline
	if err := decoder.Decode(&b); err != nil {
		return nil, fmt.Errorf("lint baseline: %w", err)
	}
	if decoder.More() {
		return nil, fmt.Errorf("lint baseline: something follows the object")
	}
	if b.Version != baselineVersion {
		return nil, fmt.Errorf("lint baseline: version is %d, this program reads version %d", b.Version, baselineVersion)
	}
	for i, k := range b.Known {
		if k.Rule == "" || k.Fingerprint == "" || k.Count < 1 {
			return nil, fmt.Errorf("lint baseline: known[%d] needs rule, fingerprint and a count of at least 1", i)
		}
	}
	return &b, nil
}

// Write writes the baseline as indented JSON, sorted, so that a change of it is a small diff.
func (b *Baseline) Write(w io.Writer) error {
	out := Baseline{Version: baselineVersion, Known: slices.Clone(b.Known)}
	if out.Known == nil {
		out.Known = []Known{}
	}
	slices.SortFunc(out.Known, compareKnown)
	data, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

func compareKnown(a, b Known) int {
	return cmp.Or(strings.Compare(a.File, b.File), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Message, b.Message), strings.Compare(a.Fingerprint, b.Fingerprint))
}

// Accept replaces what the baseline knows about the file by the findings, those that are suppressed otherwise left out.
// It is how a baseline begins; after that, use Shrink.
func (b *Baseline) Accept(file *definition.File, findings []finding.Finding) {
	b.Known = slices.DeleteFunc(b.Known, func(k Known) bool { return k.File == file.Name })
	index := map[string]int{}
	for _, f := range findings {
		if f.Suppressed != nil && f.Suppressed.Kind != "baseline" {
			continue
		}
		id := fingerprint(file, f)
		i, ok := index[id]
		if !ok {
			i = len(b.Known)
			index[id] = i
			b.Known = append(b.Known, Known{Rule: f.Rule, File: file.Name, Message: f.Message, Fingerprint: id})
		}
		b.Known[i].Count++
	}
}

// Shrink takes out of the baseline what is no longer among the findings of the file, and returns it. The findings are
// those of a run with this baseline.
func (b *Baseline) Shrink(file *definition.File, findings []finding.Finding) (fixed []Known) {
	now := map[string]int{}
	for _, f := range findings {
		if f.Suppressed != nil && f.Suppressed.Kind == "baseline" {
			id := fingerprint(file, f)
			now[id]++
		}
	}
	var kept []Known
	for _, k := range b.Known {
		left := k.Count
		if k.File == file.Name {
			left = min(left, now[k.Fingerprint])
		}
		if gone := k.Count - left; gone > 0 {
			k.Count = gone
			fixed = append(fixed, k)
		}
		if k.Count = left; left > 0 {
			kept = append(kept, k)
		}
	}
	b.Known = kept
	return fixed
}

// mark marks the findings that the baseline knows, as often as it counts them.
func (b *Baseline) mark(file *definition.File, findings []finding.Finding) {
	left := map[string]int{}
	for _, k := range b.Known {
		if k.File == file.Name {
			left[k.Fingerprint] += k.Count
		}
	}
	for i, f := range findings {
		if f.Suppressed != nil {
			continue
		}
		if id := fingerprint(file, f); left[id] > 0 {
			left[id]--
			findings[i].Suppressed = &finding.Suppression{Kind: "baseline", Reason: "known before"}
		}
	}
}

// fingerprint names a finding without its line.
func fingerprint(file *definition.File, f finding.Finding) string {
	var text, stage string
	start, end := f.Place.Start.Offset, f.Place.End.Offset
	if start <= end && end <= len(file.Src) {
		text = strings.Join(strings.Fields(string(file.Src[start:end])), " ")
	}
	for _, s := range file.Stages {
		if s.From.Start.Offset > start {
			break
		}
		stage = s.Name
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{f.Rule, file.Name, stage, text}, "\x00")))
	return hex.EncodeToString(sum[:12])
}
