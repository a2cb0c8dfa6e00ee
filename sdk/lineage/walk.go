package lineage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"strings"
)

// Options narrow a walk over the graph down. The zero value takes every edge.
type Options struct {
	// AtLeast leaves out edges with poorer evidence.
	AtLeast Grade
	// Runtime leaves out what was only at work in builds: stages, copies, mounts, frontends.
	Runtime bool
	// Direct stops after the first edge.
	Direct bool
	// Self includes the images meant themselves, at depth 0.
	Self bool
}

// Visit is an image that a walk came to, on the best way that there is: one over runtime edges alone before any other,
// then the one whose poorest evidence is best.
type Visit struct {
	Image Image `json:"image"`
	// Edge is the last one on the way.
	Edge Edge `json:"edge,omitzero"`
	// Runtime says that the way has runtime edges only.
	Runtime bool `json:"runtime"`
	// Grade is the poorest on the way. That of an image meant itself is GradeSigned: there is nothing to show.
	Grade Grade `json:"evidence"`
	// Depth is the number of edges on the way.
	Depth int `json:"depth"`

	from string // where the way comes from, if the walk knows
}

// batch is how many images are asked about at a time.
const batch = 1000

// step is one edge from an image that was visited to the next.
type step struct {
	image Image
	edge  Edge
	from  string
}

// walker visits images in the order of how good the way to them is, as Dijkstra's algorithm does with distances: a way
// never gets better by getting longer. Images with equally good ways are asked about together.
type walker struct {
	opts    Options
	seen    map[key]bool
	waiting map[rank][]Visit
}

// rank is how good a way is.
type rank struct {
	runtime bool
	grade   Grade
}

func (w *walker) walk(ctx context.Context, start []Visit, next func(context.Context, []Visit) iter.Seq2[step, error]) iter.Seq2[Visit, error] {
	return func(yield func(Visit, error) bool) {
		w.seen, w.waiting = map[key]bool{}, map[rank][]Visit{}
		for _, v := range start {
			w.wait(v)
		}
		for now := w.take(); len(now) > 0; now = w.take() {
			for _, v := range now {
				if (v.Depth > 0 || w.opts.Self) && !yield(v, nil) {
					return
				}
			}
			if w.opts.Direct && now[0].Depth > 0 {
				continue
			}
			for s, err := range next(ctx, now) {
				if err != nil {
					yield(Visit{}, err)
					return
				}
				w.step(now[0], s)
			}
		}
	}
}

// step adds an edge to the ways that wait, if it is wanted.
func (w *walker) step(from Visit, s step) {
	if s.edge.Grade < w.opts.AtLeast || w.opts.Runtime && !s.edge.Role.Runtime() {
		return
	}
	w.wait(Visit{
		Image: s.image, Edge: s.edge, from: s.from, Depth: from.Depth + 1,
		Runtime: from.Runtime && s.edge.Role.Runtime(), Grade: min(from.Grade, s.edge.Grade),
	})
}

func (w *walker) wait(v Visit) {
	if r := (rank{v.Runtime, v.Grade}); !w.seen[keyOf(v)] {
		w.waiting[r] = append(w.waiting[r], v)
	}
}

// take returns the images with the best ways among those that wait, all of one rank and one depth.
func (w *walker) take() []Visit {
	for _, runtime := range []bool{true, false} {
		for _, grade := range Grades() {
			r := rank{runtime, grade}
			if now := w.takeRank(r); len(now) > 0 {
				return now
			}
		}
	}
	return nil
}

func (w *walker) takeRank(r rank) []Visit {
	var now []Visit
	for len(w.waiting[r]) > 0 && len(now) < batch {
		v := w.waiting[r][0]
		if len(now) > 0 && v.Depth != now[0].Depth {
			break
		}
		w.waiting[r] = w.waiting[r][1:]
		if k := keyOf(v); !w.seen[k] {
			w.seen[k] = true
			now = append(now, v)
		}
	}
	return now
}

// key is a digest in few bytes: graphs are large.
type key [sha256.Size]byte

// keyOf is the key of an image, or of the name of one whose digest is not known.
func keyOf(v Visit) key {
	var k key
	if digits, ok := strings.CutPrefix(v.Image.Digest, "sha256:"); ok && len(digits) == 2*len(k) {
		if _, err := hex.Decode(k[:], []byte(digits)); err == nil {
			return k
		}
	}
	return sha256.Sum256([]byte(v.Image.Digest + " " + v.Edge.Name))
}
