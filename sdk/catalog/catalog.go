// Package catalog is the list of base images that Ops allows, and the one evaluator that answers from it: lint, build,
// start checks and sweeps all ask here, so they agree.
//
// A catalog is YAML (format version 1; see [Document] and [Schema]): bases by repository with tag patterns, semver ranges
// or digests, rules for http and git sources, substitutions that move a base on the fly, exceptions that have a project,
// a reason and an end, and bans. [Load] reads one file, [LoadFS] a directory of them. [Catalog.Plan] then decides about
// the inputs of one definition:
//
//	cat, err := catalog.Load("catalog.yaml", src)
//	plan, err := cat.Plan(ctx, catalog.Question{Project: project, Inputs: inputs, At: now}, facts)
//	err = finding.Gate(plan.Findings, finding.Error)
//	dockerfile, err := plan.Rewrite(src)
//
// Decisions are pure: everything that has to be asked of a registry comes as inputs or through [Facts], the time is a
// value. References are parsed and compared by registry, path segments, tag and digest, never as text. What can't be
// known is denied: an input without digest by a finding, a fact that can't be had by an error.
//
// The package does no lint (package lint) and reads neither Dockerfiles (package definition) nor registries (package
// registry). Unit tests for catalogs are in package catalogtest.
package catalog

import (
	"crypto/sha256"
	_ "embed" // the schema
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Catalog is a loaded catalog. It is immutable and safe for concurrent use.
type Catalog struct {
	doc    Document
	digest string
	origin Origin

	bases         map[string][]*base // by repository
	substitutions map[string][]*substitution
	exceptions    []*exception
	bans          []*ban
	// contexts, args and inlines are those of all parts; doc has the root's.
	contexts []*ContextRule
	args     []*ArgRule
	inlines  []*InlineRule
	parts    []*part // the root first
}

type base struct {
	Base
	part  *part
	match matcher
}

type substitution struct {
	Substitution
	part   *part
	from   matcher
	target target
}

type exception struct {
	Exception
	part    *part
	project projectMatcher
	image   *matcher // nil unless the scope is an image
}

type ban struct {
	Ban
	part        *part
	match       matcher
	replacement *target
}

// Document returns what the catalog's files say, defaults filled in. It shares memory with the catalog: read only.
func (c *Catalog) Document() Document { return c.doc }

// Digest is the SHA-256 of the catalog's canonical form ("sha256:..."): what it says, defaults filled in, whatever the
// comments, the order of keys and the names and places of its files.
func (c *Catalog) Digest() string { return c.digest }

// canonicalDigest hashes the document's JSON, in which struct fields have a fixed order and map keys are sorted.
func canonicalDigest(doc *Document) (string, error) {
	canonical, err := json.Marshal(doc)
	if err != nil {
		return "", fmt.Errorf("canonical form of the catalog: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

//go:embed schema.json
var schema string

// Schema is the JSON Schema (draft 2020-12) of catalog files, for editors and for checks without this package. It
// describes the form; what only a program can see (overlaps, loops, empty ranges) is reported by [Load] alone.
func Schema() string { return schema }
