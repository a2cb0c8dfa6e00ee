package lineage

import (
	"context"
	"errors"
	"slices"
)

// ErrNoPath says that no evidence joins two images. That is not proof that they have nothing in common.
var ErrNoPath = errors.New("no path")

// Way is how an image stands on another: its edges, from the image down to the base, and what they amount to.
type Way struct {
	Edges   []Edge `json:"edges"`
	Runtime bool   `json:"runtime"`  // all edges are of the runtime
	Grade   Grade  `json:"evidence"` // the poorest of them
}

// Path returns the best way on which an image (by any digest) stands on what is meant: over runtime edges alone if there
// is one, then the one whose poorest evidence is best. [ErrNoPath] means that there is none.
func Path(ctx context.Context, store Store, image string, of Of, opts Options) (Way, error) {
	meant, err := of.Resolve(ctx, store)
	if err != nil {
		return Way{}, err
	}
	is := map[string]bool{}
	for _, img := range meant {
		is[img.Digest] = true
	}
	above, err := Of{Digests: []string{image}}.Resolve(ctx, store)
	if err != nil {
		return Way{}, err
	}
	w := walker{opts: opts}
	ways := map[string]Visit{} // by digest of the image below
	for v, err := range w.walk(ctx, selves(above), under(store)) {
		if err != nil {
			return Way{}, err
		}
		ways[v.Image.Digest] = v
		if is[v.Image.Digest] || is[v.Edge.Base] || of.means(v.Edge.Name) {
			return v.way(ways), nil
		}
	}
	return Way{}, ErrNoPath
}

// way follows a visit back to where its walk began.
func (v Visit) way(ways map[string]Visit) Way {
	way := Way{Runtime: v.Runtime, Grade: v.Grade}
	for ; v.Depth > 0; v = ways[v.from] {
		way.Edges = append(way.Edges, v.Edge)
	}
	slices.Reverse(way.Edges)
	return way
}
