package lineage

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// Graph is a part of the lineage for people to look at; package draw writes it as DOT, Mermaid and SVG.
type Graph struct {
	Nodes []Node `json:"nodes"`
	Links []Link `json:"links"`
	// More is how many images are left out because they would be too many.
	More int `json:"more,omitempty"`
}

// Node is an image in a graph.
type Node struct {
	Image Image `json:"image"`
	// Name is a tag of it, or what evidence calls it, or the beginning of its digest.
	Name string `json:"name"`
	// Meant says that the question was about it.
	Meant bool `json:"meant,omitempty"`
	// Runtime says whether it and the image meant are joined by runtime edges alone; Grade is the poorest evidence between.
	Runtime bool  `json:"runtime"`
	Grade   Grade `json:"evidence"`
}

// Link joins two nodes by their places in Nodes. It is the best edge between them.
type Link struct {
	Above int  `json:"above"`
	Below int  `json:"below"`
	Edge  Edge `json:"edge"`
}

// GraphOf returns the images meant with what they stand on and what stands on them, limit nodes at most: the nearest ones.
func GraphOf(ctx context.Context, store Store, of Of, opts Options, limit int) (Graph, error) {
	g := grapher{store: store, limit: limit, places: map[string]int{}}
	opts.Self = true
	for v, err := range Bases(ctx, store, of, opts) {
		if err != nil {
			return Graph{}, err
		}
		g.add(v)
	}
	for v, err := range Derived(ctx, store, of, opts) {
		if err != nil {
			return Graph{}, err
		}
		g.add(v)
	}
	if err := g.join(ctx, opts); err != nil {
		return Graph{}, err
	}
	return g.graph, g.name(ctx)
}

type grapher struct {
	store  Store
	limit  int
	graph  Graph
	places map[string]int // of digests, or of names where there is no digest
}

func (g *grapher) add(v Visit) {
	id := cmp.Or(v.Image.Digest, v.Edge.Name)
	if _, there := g.places[id]; there || v.Image.Kind == KindIndex {
		return
	}
	if len(g.graph.Nodes) >= g.limit {
		g.graph.More++
		return
	}
	name := ""
	if v.Image.Digest == "" || v.Edge.Base == v.Image.Digest {
		name = v.Edge.Name
	}
	g.places[id] = len(g.graph.Nodes)
	g.graph.Nodes = append(g.graph.Nodes, Node{Image: v.Image, Name: name, Meant: v.Depth == 0, Runtime: v.Runtime, Grade: v.Grade})
}

// join links each node with those below it.
func (g *grapher) join(ctx context.Context, opts Options) error {
	best := map[[2]int]Edge{}
	for chunk := range slices.Chunk(g.graph.Nodes, batch) {
		var now []Visit
		for _, n := range chunk {
			now = append(now, Visit{Image: n.Image})
		}
		for s, err := range under(g.store)(ctx, now) {
			if err != nil {
				return err
			}
			above, ok1 := g.places[s.edge.Image.Digest]
			below, ok2 := g.places[cmp.Or(s.image.Digest, s.edge.Name)]
			if !ok1 || !ok2 || above == below || s.edge.Grade < opts.AtLeast || opts.Runtime && !s.edge.Role.Runtime() {
				continue
			}
			if s.edge.Role == RoleTwin && above > below {
				continue // it is said both ways
			}
			key := [2]int{above, below}
			if old, ok := best[key]; !ok || better(s.edge, old) {
				best[key] = s.edge
			}
		}
	}
	for key, e := range best {
		g.graph.Links = append(g.graph.Links, Link{Above: key[0], Below: key[1], Edge: e})
	}
	slices.SortFunc(g.graph.Links, func(a, b Link) int { return cmp.Or(a.Above-b.Above, a.Below-b.Below) })
	return nil
}

func better(a, b Edge) bool {
	if a.Role.Runtime() != b.Role.Runtime() {
		return a.Role.Runtime()
	}
	return a.Grade > b.Grade
}

// name gives the nodes the names of their tags: the current one with the shortest name.
func (g *grapher) name(ctx context.Context) error {
	for i := range g.graph.Nodes {
		n := &g.graph.Nodes[i]
		found := ""
		if n.Image.Digest != "" {
			for tag, err := range g.store.Tags(ctx, TagFilter{Digests: []string{n.Image.Digest}}) {
				if err != nil {
					return err
				}
				if s := tag.String(); found == "" || len(s) < len(found) {
					found = s
				}
			}
		}
		digest := strings.TrimPrefix(n.Image.Digest, "sha256:")
		n.Name = cmp.Or(found, n.Name, digest[:min(12, len(digest))])
	}
	return nil
}
