package report

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// fingerprints names each finding so that readers recognise it in the next report: lines above it may come and go, an
// image may be rebuilt, the wording of the message may change. Equal findings are told apart by their order.
//
// They are made of the rule, the file (or the image without its digest) and the text of the line; of the message only
// where there is no line.
func fingerprints(r Report, src *source) []string {
	seen := map[string]int{}
	prints := make([]string, len(r.Findings))
	for i, f := range r.Findings {
		key := fingerprintKey(r, src, f)
		sum := sha256.Sum256([]byte(key + "\x00" + strconv.Itoa(seen[key])))
		seen[key]++
		prints[i] = hex.EncodeToString(sum[:16])
	}
	return prints
}

func fingerprintKey(r Report, src *source, f finding.Finding) string {
	image, _, _ := strings.Cut(f.Place.Image, "@")
	what, ok := src.line(f.Place.File, f.Place.Start.Line)
	if !ok {
		what = f.Message
	}
	return strings.Join([]string{f.Rule, r.path(finding.Place{File: f.Place.File, Image: image}), f.Place.Path, strings.TrimSpace(what)}, "\x00")
}
