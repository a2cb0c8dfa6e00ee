// Package lineagetest is the conformance suite for implementations of lineage.Store.
//
//	func TestConformance(t *testing.T) {
//		lineagetest.Run(t, func(t *testing.T) lineage.Store { return open(t) })
//	}
package lineagetest

import (
	"fmt"
	"iter"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// Run runs the suite. The function opens a new, empty store, and sees to its closing.
func Run(t *testing.T, open func(t *testing.T) lineage.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, lineage.Store)
	}{
		{"images by any digest", images},
		{"an image that is put again", imageAgain},
		{"a batch that is wrong", wrongBatch},
		{"edges by any digest of the base", identities},
		{"edges, whatever came first", anyOrder},
		{"an index is one base for each platform", platforms},
		{"layers, whatever came first", layers},
		{"twins", twins},
		{"what evidence names", named},
		{"tags with their time", tags},
		{"tags by digest", tagsOf},
		{"packages", inventories},
		{"owners", owners},
		{"instances", instances},
		{"marks", marks},
		{"counts", counts},
		{"a large batch", large},
		{"a context that has ended", cancelled},
		{"writers and readers at a time", concurrent},
		{"the same answers as in memory", model},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// Digest returns a digest for a name, for tests.
func Digest(name string) string { return digest(name) }

// all collects what an iterator yields.
func all[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var list []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

func put(t *testing.T, s lineage.Store, b lineage.Batch) {
	t.Helper()
	if err := s.Put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// describe writes an edge in one line, with names for digests.
func describe(e lineage.Edge, names map[string]string) string {
	base := names[e.Base]
	if base == "" {
		base = e.Base
	}
	return fmt.Sprintf("%s on %s (%s, %s)", names[e.Image.Digest], base, e.Role, e.Grade)
}
