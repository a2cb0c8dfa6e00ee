package scan

import (
	"encoding/json"
	"net/url"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// The predicate types that a scan reads.
const (
	provenance02  = "https://slsa.dev/provenance/v0.2" // BuildKit's default before v0.23
	spdxType      = "https://spdx.dev/Document"
	cycloneDXType = "https://cyclonedx.org/bom"
)

// predicateTypes are asked of a registry's referrers.
func predicateTypes() []string {
	return []string{provenance.Type, provenance02, spdxType, cycloneDXType}
}

// said is what a statement says of one manifest.
type said struct {
	edges      []lineage.Edge
	definition lineage.Definition
	inventory  *lineage.Inventory
}

// understand reads a statement about a manifest. What is of another type says nothing.
func understand(s *attest.Statement, img lineage.Image, grade lineage.Grade, source string) (said, error) {
	switch s.PredicateType {
	case provenance.Type, provenance02:
		p, err := parseProvenance(s)
		if err != nil {
			return said{}, err
		}
		out := said{edges: inputs(p, img, grade, source)}
		if repository, commit := p.Source(); repository != "" {
			out.definition = lineage.Definition{
				Repository: cut(repository), Commit: cut(commit), Grade: grade,
				Path: cut(strings.TrimPrefix(p.BuildDefinition.External.Directory+"/"+p.BuildDefinition.External.Dockerfile, "/")),
			}
		}
		return out, nil
	case spdxType, cycloneDXType:
		inv, err := parseSBOM(s.PredicateType, s.Predicate)
		if err != nil {
			return said{}, err
		}
		inv.Image, inv.Grade, inv.Source = img.Digest, grade, source
		return said{inventory: &inv}, nil
	}
	return said{}, nil
}

// parseProvenance reads both versions of SLSA's predicate. What version 0.2 has is put where version 1 has it
// (https://slsa.dev/spec/v1.0/provenance#migrating-from-02).
func parseProvenance(s *attest.Statement) (*provenance.Provenance, error) {
	if s.PredicateType == provenance.Type {
		return provenance.Parse(s.Predicate)
	}
	var old struct {
		Materials []provenance.Resource `json:"materials"`
	}
	if err := json.Unmarshal(s.Predicate, &old); err != nil {
		return nil, err
	}
	return &provenance.Provenance{BuildDefinition: provenance.BuildDefinition{Inputs: old.Materials}}, nil
}

// inputs are the edges that provenance says: the bases of stages where the builder tells them apart, and every image that
// was read beside them.
func inputs(p *provenance.Provenance, img lineage.Image, grade lineage.Grade, source string) []lineage.Edge {
	edge := func(role lineage.Role, ref, digest string) (lineage.Edge, bool) {
		if _, err := v1.NewHash(digest); err != nil || digest == img.Digest {
			return lineage.Edge{}, false
		}
		return lineage.Edge{
			Image: lineage.Image{Digest: img.Digest}, Base: digest, Name: canonical(ref), Role: role, Grade: grade,
			Source: source, Time: p.RunDetails.Metadata.Finished,
		}, true
	}
	var edges []lineage.Edge
	told := map[string]bool{}
	for _, b := range p.Bases() {
		if !lineage.SamePlatform(b.Platform, img.Platform) {
			continue
		}
		role := lineage.RoleStage
		if b.Runtime {
			role = lineage.RoleBase
		}
		if e, ok := edge(role, b.Effective.Ref, b.Effective.Digest); ok {
			edges, told[e.Base] = append(edges, e), true
		}
	}
	for _, in := range p.BuildDefinition.Inputs {
		ref, ok := imageOf(in.URI)
		if !ok || in.Digest["sha256"] == "" {
			continue
		}
		e, ok := edge(lineage.RoleInput, ref, "sha256:"+in.Digest["sha256"])
		if ok && !told[e.Base] {
			edges, told[e.Base] = append(edges, e), true
		}
	}
	return edges
}

// imageOf undoes provenance.ImageURI.
func imageOf(uri string) (ref string, ok bool) {
	rest, ok := strings.CutPrefix(uri, "pkg:docker/")
	if !ok {
		return "", false
	}
	rest, _, _ = strings.Cut(rest, "?")
	rest, err := url.PathUnescape(rest)
	if err != nil {
		return "", false
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[:i] + ":" + rest[i+1:]
	}
	return rest, true
}
