package storm

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// batch is how many images the store is asked about at a time.
const batch = 1000

// graph is what stands on the bases to leave: manifests, and the images in repositories that have them.
type graph struct {
	store lineage.Store
	nodes map[string]*node   // by manifest digest
	alias map[string][]*node // by whatever evidence calls them: manifest, config, index
	tops  map[string]*top    // by item id
	named map[string]string  // what the tags of repositories mean now: "repository:tag" to digest
	index map[string]bool    // digests that are of indexes
}

// node is a manifest.
type node struct {
	lineage.Image

	root bool // one of the bases to leave
	tops []*top
	on   []stands
	past []lineage.Tag // of a root: what it is or was called
}

// stands is an edge to another node.
type stands struct {
	edge  lineage.Edge
	below *node
}

// top is an item in the making.
type top struct {
	Item

	nodes []*node
	after map[string]bool
}

// read reads the graph of what a question is about.
func read(ctx context.Context, store lineage.Store, of lineage.Of) (*graph, error) {
	g := &graph{
		store: store, nodes: map[string]*node{}, alias: map[string][]*node{}, tops: map[string]*top{}, named: map[string]string{}, index: map[string]bool{},
	}
	for v, err := range lineage.Derived(ctx, store, of, lineage.Options{Self: true}) {
		if err != nil {
			return nil, err
		}
		if v.Image.Digest == "" || v.Image.Kind == lineage.KindIndex {
			continue
		}
		n := &node{Image: v.Image, root: v.Depth == 0}
		g.nodes[n.Digest] = n
		g.call(n.Digest, n)
		g.call(n.Config, n)
	}
	for _, step := range []func(context.Context) error{g.tags, g.edges} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (g *graph) call(name string, n *node) {
	if name != "" && !slices.Contains(g.alias[name], n) {
		g.alias[name] = append(g.alias[name], n)
	}
}

// tags finds what the manifests are called, and in which indexes they are.
func (g *graph) tags(ctx context.Context) error {
	var above []string
	var tags []lineage.Tag
	for part := range slices.Chunk(slices.Sorted(maps.Keys(g.nodes)), batch) {
		for tag, err := range g.store.Tags(ctx, lineage.TagFilter{Digests: part}) {
			if err != nil {
				return err
			}
			tags = append(tags, tag)
			if g.nodes[tag.Digest] == nil {
				above = append(above, tag.Digest)
			}
		}
	}
	if err := g.indexes(ctx, above); err != nil {
		return err
	}
	for _, tag := range tags {
		g.tag(tag)
	}
	return nil
}

// indexes notes which manifests indexes have.
func (g *graph) indexes(ctx context.Context, digests []string) error {
	slices.Sort(digests)
	for part := range slices.Chunk(slices.Compact(digests), batch) {
		for img, err := range g.store.Images(ctx, part) {
			if err != nil {
				return err
			}
			g.index[img.Digest] = img.Kind == lineage.KindIndex
			for _, child := range img.Manifests {
				if n := g.nodes[child.Digest]; n != nil {
					g.call(img.Digest, n)
				}
			}
		}
	}
	return nil
}

// tag makes the image that a tag points to an item.
func (g *graph) tag(tag lineage.Tag) {
	current := tag.Until.IsZero()
	if current {
		g.named[tag.String()] = tag.Digest
	}
	id := itemID(tag.Repository, tag.Digest)
	for _, n := range g.alias[tag.Digest] {
		if n.root {
			n.past = append(n.past, tag)
			continue
		}
		if !current {
			continue
		}
		t := g.tops[id]
		if t == nil {
			t = &top{Item: Item{ID: id, Repository: tag.Repository, Digest: tag.Digest}, after: map[string]bool{}}
			g.tops[id] = t
		}
		if !slices.Contains(t.Tags, tag.Name) {
			t.Tags = append(t.Tags, tag.Name)
		}
		if !slices.Contains(t.nodes, n) {
			t.nodes, n.tops = append(t.nodes, n), append(n.tops, t)
		}
	}
}

// edges joins the manifests.
func (g *graph) edges(ctx context.Context) error {
	var edges []lineage.Edge
	var unknown []string
	images := make([]lineage.Image, 0, len(g.nodes))
	for _, digest := range slices.Sorted(maps.Keys(g.nodes)) {
		if n := g.nodes[digest]; !n.root {
			images = append(images, n.Image)
		}
	}
	for part := range slices.Chunk(images, batch) {
		for e, err := range g.store.Under(ctx, part) {
			if err != nil {
				return err
			}
			edges = append(edges, e)
			if e.Base != "" && g.alias[e.Base] == nil {
				unknown = append(unknown, e.Base)
			}
		}
	}
	if err := g.indexes(ctx, unknown); err != nil {
		return err
	}
	for _, e := range edges {
		n := g.nodes[e.Image.Digest]
		if n == nil {
			continue
		}
		for _, below := range g.alias[e.Base] {
			if below != n && lineage.SamePlatform(below.Platform, n.Platform) {
				n.on = append(n.on, stands{e, below})
			}
		}
	}
	return nil
}

// best is the edge that says best on what a manifest stands; nil where it only had such images at work in its build.
func (n *node) best() *stands {
	var best *stands
	for i := range n.on {
		s := &n.on[i]
		if s.edge.Role != lineage.RoleBase {
			continue
		}
		if best == nil || s.edge.Grade > best.edge.Grade || s.edge.Grade == best.edge.Grade && better(s, best) {
			best = s
		}
	}
	return best
}

// better prefers what has a name, and then is the same each time.
func better(a, b *stands) bool {
	if (a.edge.Name != "") != (b.edge.Name != "") {
		return a.edge.Name != ""
	}
	return a.below.Digest < b.below.Digest
}

// builtOn says whether something that is to be left, or stands on it, was at work in a manifest's build.
func (n *node) builtOn() bool {
	return slices.ContainsFunc(n.on, func(s stands) bool { return !s.edge.Role.Runtime() })
}

// ref is a base by a digest that its registry knows it by, and its name as a person writes it.
func (g *graph) ref(s *stands) (ref, name string) {
	repository, tag := lineage.SplitName(s.edge.Name)
	digest := s.below.Digest
	if g.index[s.edge.Base] {
		digest = s.edge.Base
	}
	for _, past := range s.below.past {
		if repository == "" {
			repository = past.Repository
		}
		if past.Repository != repository {
			continue
		}
		tag = cmp.Or(tag, past.Name)
		if digest == s.below.Digest && past.Digest != digest {
			digest = past.Digest // the index that has it
		}
	}
	if repository == "" {
		return "", ""
	}
	if name = repository; tag != "" {
		name += ":" + tag
	}
	return repository + "@" + digest, name
}
