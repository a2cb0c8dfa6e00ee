// Package lineage knows which image stands on which, and how it knows: from a definition over every input and image to
// the running instance, each edge with its [Grade] of evidence.
//
// The graph is in a [Store]: [NewMemory] for tests and small programs, lineage/sqlite by default, lineage/postgres for
// many machines. It is filled by builds when they publish and by scans of registries ([Scanner]), and can be made anew
// from the registry at any time. Questions are functions over a store:
//
//	for d, err := range lineage.Derived(ctx, store, lineage.Of{Repository: "docker.io/library/debian", Tag: old}, lineage.Options{}) {
//		...
//	}
//
// Digests decide. An image is known by three: that of an index, of a manifest and of the config; questions match any of
// them, answers are about manifests, since an index is as good as each of its platforms. Tags and names inform: what a
// tag pointed to is kept with its time.
//
// The layers of an image say, at best, what is at its bottom: a base with other configuration and the same layers can't
// be told apart, and squashing hides everything. So the layer chain is the weakest grade, and no evidence is never
// taken for "stands on nothing".
package lineage

import (
	"context"
	"errors"
	"iter"
)

// Store keeps the graph. What comes out of it is true as of the last write: it decides nothing and walks nowhere, package
// functions such as [Derived] do. Package lineagetest has the conformance suite for implementations.
//
// Iterators end at the first error, which is yielded with a zero value. All methods are safe for concurrent use, also
// while an iterator is open.
type Store interface {
	// Put adds a batch, all of it or nothing. Adding what is there already changes nothing; see [Batch] for what is
	// replaced. It is fast for batches of a thousand images.
	Put(ctx context.Context, batch Batch) error
	// Images returns what is known by digests of any kind: manifests and indexes by their own, manifests by their config's.
	// An index comes with its manifests. Digests of which nothing is known give nothing.
	Images(ctx context.Context, digests []string) iter.Seq2[Image, error]
	// On returns the edges to what stands directly on one of the bases. A base is meant by its digest, its config's, that of
	// an index that has it for the platform of the image above, and its layer chain; fields that are empty mean nothing, so
	// a caller that has asked for a chain can leave it out. Each edge's Base is as its evidence names it, or the first base
	// that was asked for with that chain. An edge may come more than once.
	On(ctx context.Context, bases []Image) iter.Seq2[Edge, error]
	// Under returns the edges to what the images stand on directly, as the evidence names it. Edges of layers name a
	// manifest that is known to have the longest chain below the image's own; and the ones with the same chain.
	Under(ctx context.Context, images []Image) iter.Seq2[Edge, error]
	// Named returns the edges whose evidence names a base of a repository ("docker.io/library/debian").
	Named(ctx context.Context, repository string) iter.Seq2[Edge, error]
	// Tags returns tags, past ones too, in the order of repository, name and time.
	Tags(ctx context.Context, which TagFilter) iter.Seq2[Tag, error]
	// Carriers returns the images that have a package, with its versions. Distributions are not told apart.
	Carriers(ctx context.Context, kind, name string) iter.Seq2[Carrier, error]
	// Packages returns all that is known to be installed in images, by manifest digest.
	Packages(ctx context.Context, digests []string) iter.Seq2[Inventory, error]
	// Unowned returns the manifests that nobody is known to answer for, ordered by digest.
	Unowned(ctx context.Context) iter.Seq2[Image, error]
	// Instances returns what runs from images, by manifest, index or config digest. No digests means everything.
	Instances(ctx context.Context, digests []string) iter.Seq2[Instance, error]
	// Marks returns the values that were put under keys with a prefix; see [Batch.Marks].
	Marks(ctx context.Context, prefix string) (map[string]string, error)
	// Counts says how much there is, for people.
	Counts(ctx context.Context) (Counts, error)
	// Close releases the store. Nothing may be called afterwards.
	Close() error
}

// Batch is what [Store.Put] adds.
type Batch struct {
	// Images are added; of those that are there, fields that are not empty replace what was known. A Definition is replaced
	// only by one of the same grade or a higher one.
	Images []Image
	// Edges are added. The same edge (image, base, name, role and grade) keeps its first Source and Time.
	Edges []Edge
	// Tags say what tags point to since a time; a Tag without Digest says that it is gone. What the tag pointed to before
	// gets its end.
	Tags []Tag
	// Inventories replace what was known about the packages of an image, if the grade is the same or higher.
	Inventories []Inventory
	// Instances replace those of the same place and id.
	Instances []Instance
	// Ended are instances that do not run any more.
	Ended []Instance
	// Marks are notes for those who fill the store, such as how far a scan got: key to value; an empty value deletes.
	Marks map[string]string
}

// Counts is how much a store has.
type Counts struct {
	Images    int64 `json:"images"`    // manifests
	Indexes   int64 `json:"indexes"`   // image indexes
	Edges     int64 `json:"edges"`     // of evidence other than layers
	Tags      int64 `json:"tags"`      // current ones
	Instances int64 `json:"instances"` // running
}

// ErrInvalid is in the error of a batch or a question that can't be meant so. Nothing of such a batch is kept.
var ErrInvalid = errors.New("invalid")
