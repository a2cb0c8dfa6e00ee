package lineage

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory is a store that is gone with the program: for tests, examples and graphs that are made anew each time. It takes
// about one kilobyte an image.
type Memory struct {
	mu        sync.RWMutex
	images    map[string]Image
	configs   map[string][]string // config -> manifests
	indexes   map[string][]Child  // manifest -> the indexes that have it, for a platform
	owners    map[string][]string // chain -> manifests that have it as their own
	through   map[string][]string // chain -> manifests that have it below
	edges     map[edgeKey]Edge
	above     map[string][]edgeKey // base -> edges
	below     map[string][]edgeKey // image -> edges
	named     map[string][]edgeKey // repository -> edges
	tags      map[string]map[string][]Tag
	inventory map[string]Inventory
	instances map[[2]string]Instance
	marks     map[string]string
}

var _ Store = (*Memory)(nil)

type edgeKey struct {
	image, base, name string
	role              Role
	grade             Grade
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		images: map[string]Image{}, configs: map[string][]string{}, indexes: map[string][]Child{}, owners: map[string][]string{},
		through: map[string][]string{}, edges: map[edgeKey]Edge{}, above: map[string][]edgeKey{}, below: map[string][]edgeKey{},
		named: map[string][]edgeKey{}, tags: map[string]map[string][]Tag{}, inventory: map[string]Inventory{},
		instances: map[[2]string]Instance{}, marks: map[string]string{},
	}
}

// Put adds a batch.
func (m *Memory) Put(ctx context.Context, b Batch) error {
	if err := cmp.Or(ctx.Err(), b.Check()); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, img := range b.Images {
		m.putImage(img)
	}
	for _, e := range b.Edges {
		m.putEdge(e)
	}
	for _, t := range b.Tags {
		m.putTag(t)
	}
	for _, inv := range b.Inventories {
		if old, ok := m.inventory[inv.Image]; !ok || inv.Grade >= old.Grade {
			inv.Packages = slices.Clone(inv.Packages)
			m.inventory[inv.Image] = inv
		}
	}
	for _, in := range b.Instances {
		m.instances[[2]string{in.Place, in.ID}] = in
	}
	for _, in := range b.Ended {
		delete(m.instances, [2]string{in.Place, in.ID})
	}
	for key, value := range b.Marks {
		if m.marks[key] = value; value == "" {
			delete(m.marks, key)
		}
	}
	return nil
}

func (m *Memory) putImage(img Image) {
	old := m.images[img.Digest]
	img.Merge(old)
	img.Below, img.Manifests = slices.Clone(img.Below), slices.Clone(img.Manifests)
	m.images[img.Digest] = img
	if img.Config != old.Config {
		m.configs[img.Config] = append(m.configs[img.Config], img.Digest)
	}
	if img.Chain != old.Chain {
		m.owners[img.Chain] = append(m.owners[img.Chain], img.Digest)
		for _, chain := range img.Below {
			m.through[chain] = append(m.through[chain], img.Digest)
		}
	}
	for _, child := range img.Manifests {
		in := Child{Digest: img.Digest, Platform: child.Platform}
		if !slices.Contains(m.indexes[child.Digest], in) {
			m.indexes[child.Digest] = append(m.indexes[child.Digest], in)
		}
	}
}

func (m *Memory) putEdge(e Edge) {
	key := edgeKey{e.Image.Digest, e.Base, e.Name, e.Role, e.Grade}
	if _, known := m.edges[key]; known {
		return
	}
	e.Image = Image{Digest: e.Image.Digest}
	m.edges[key] = e
	m.below[key.image] = append(m.below[key.image], key)
	if key.base != "" {
		m.above[key.base] = append(m.above[key.base], key)
	}
	if key.name != "" {
		repository, _ := SplitName(key.name)
		m.named[repository] = append(m.named[repository], key)
	}
}

func (m *Memory) putTag(t Tag) {
	if m.tags[t.Repository] == nil {
		m.tags[t.Repository] = map[string][]Tag{}
	}
	past := m.tags[t.Repository][t.Name]
	if n := len(past); n > 0 && past[n-1].Until.IsZero() {
		if past[n-1].Digest == t.Digest {
			return
		}
		past[n-1].Until = t.Since
	}
	if t.Until = (time.Time{}); t.Digest != "" {
		m.tags[t.Repository][t.Name] = append(past, t)
	}
}

// Images returns what is known by digests of any kind.
func (m *Memory) Images(_ context.Context, digests []string) iter.Seq2[Image, error] {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []Image
	for _, d := range digests {
		for _, digest := range append([]string{d}, m.configs[d]...) {
			if img, ok := m.images[digest]; ok {
				found = append(found, m.out(img))
			}
		}
	}
	return values(found)
}

// out is an image as it comes out of the store.
func (m *Memory) out(img Image) Image {
	img.Below = nil
	img.Manifests = slices.Clone(img.Manifests)
	return img
}

func (m *Memory) brief(digest string) Image {
	img, ok := m.images[digest]
	if !ok {
		return Image{Digest: digest}
	}
	img.Manifests = nil
	return m.out(img)
}

// On returns what stands directly on the bases.
func (m *Memory) On(_ context.Context, bases []Image) iter.Seq2[Edge, error] {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []Edge
	add := func(base string, fits func(Image) bool) {
		for _, key := range m.above[base] {
			e := m.edges[key]
			if e.Image = m.brief(key.image); fits(e.Image) {
				found = append(found, e)
			}
		}
	}
	all := func(Image) bool { return true }
	for _, b := range bases {
		if b.Digest != "" {
			add(b.Digest, all)
		}
		if b.Config != "" {
			add(b.Config, all)
		}
		for _, index := range m.indexes[b.Digest] {
			add(index.Digest, func(img Image) bool { return SamePlatform(index.Platform, img.Platform) })
		}
		if b.Chain == "" {
			continue
		}
		for _, digest := range m.owners[b.Chain] {
			if digest != b.Digest {
				found = append(found, TwinEdge(m.brief(digest), b.Digest))
			}
		}
		for _, digest := range m.through[b.Chain] {
			if img := m.images[digest]; m.nearest(img) == b.Chain {
				found = append(found, LayerEdge(m.brief(digest), b.Digest, b.Layers))
			}
		}
	}
	return values(found)
}

// nearest is the longest chain below an image's own that a known image has.
func (m *Memory) nearest(img Image) string {
	for _, chain := range slices.Backward(img.Below) {
		if len(m.owners[chain]) > 0 {
			return chain
		}
	}
	return ""
}

// Under returns what the images stand on directly.
func (m *Memory) Under(_ context.Context, images []Image) iter.Seq2[Edge, error] {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []Edge
	for _, asked := range images {
		for _, key := range m.below[asked.Digest] {
			e := m.edges[key]
			e.Image = m.brief(key.image)
			found = append(found, e)
		}
		img := m.images[asked.Digest]
		if img.Chain == "" {
			continue
		}
		for _, digest := range m.owners[img.Chain] {
			if digest != img.Digest {
				found = append(found, TwinEdge(m.brief(img.Digest), digest))
			}
		}
		if chain := m.nearest(img); chain != "" {
			for _, digest := range m.owners[chain] {
				found = append(found, LayerEdge(m.brief(img.Digest), digest, m.images[digest].Layers))
			}
		}
	}
	return values(found)
}

// Named returns the edges whose evidence names a base of a repository.
func (m *Memory) Named(_ context.Context, repository string) iter.Seq2[Edge, error] {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []Edge
	for _, key := range m.named[repository] {
		e := m.edges[key]
		e.Image = m.brief(key.image)
		found = append(found, e)
	}
	return values(found)
}

// Tags returns tags.
func (m *Memory) Tags(_ context.Context, which TagFilter) iter.Seq2[Tag, error] {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var wanted map[string]bool
	if len(which.Digests) > 0 {
		wanted = map[string]bool{}
		for _, d := range which.Digests {
			wanted[d] = true
			for _, index := range m.indexes[d] {
				wanted[index.Digest] = true
			}
		}
	}
	var found []Tag
	for _, repository := range slices.Sorted(maps.Keys(m.tags)) {
		if which.Repository != "" && which.Repository != repository {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(m.tags[repository])) {
			for _, t := range m.tags[repository][name] {
				if (wanted == nil || wanted[t.Digest]) && (!which.Current || t.Until.IsZero()) {
					found = append(found, t)
				}
			}
		}
	}
	return values(found)
}

// Carriers returns the images that have a package.
func (m *Memory) Carriers(_ context.Context, kind, name string) iter.Seq2[Carrier, error] {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []Carrier
	for _, digest := range slices.Sorted(maps.Keys(m.inventory)) {
		inv := m.inventory[digest]
		for _, p := range inv.Packages {
			if p.Type == kind && p.Name == name {
				found = append(found, Carrier{Image: m.brief(digest), Package: p, Distro: inv.Distro, Grade: inv.Grade})
			}
		}
	}
	return values(found)
}

// Packages returns what is installed in images.
func (m *Memory) Packages(_ context.Context, digests []string) iter.Seq2[Inventory, error] {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []Inventory
	for _, d := range digests {
		if inv, ok := m.inventory[d]; ok {
			inv.Packages = slices.Clone(inv.Packages)
			found = append(found, inv)
		}
	}
	return values(found)
}

// Unowned returns the manifests that nobody is known to answer for.
func (m *Memory) Unowned(context.Context) iter.Seq2[Image, error] {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []Image
	for _, digest := range slices.Sorted(maps.Keys(m.images)) {
		if img := m.images[digest]; img.Owner == "" && img.Kind == KindManifest {
			found = append(found, m.out(img))
		}
	}
	return values(found)
}

// Instances returns what runs.
func (m *Memory) Instances(_ context.Context, digests []string) iter.Seq2[Instance, error] {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []Instance
	for _, in := range m.instances {
		if len(digests) == 0 || slices.Contains(digests, in.Digest) {
			found = append(found, in)
		}
	}
	slices.SortFunc(found, func(a, b Instance) int {
		return cmp.Or(strings.Compare(a.Place, b.Place), strings.Compare(a.ID, b.ID))
	})
	return values(found)
}

// Marks returns the values under keys with a prefix.
func (m *Memory) Marks(_ context.Context, prefix string) (map[string]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	found := map[string]string{}
	for key, value := range m.marks {
		if strings.HasPrefix(key, prefix) {
			found[key] = value
		}
	}
	return found, nil
}

// Counts says how much there is.
func (m *Memory) Counts(context.Context) (Counts, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	c := Counts{Edges: int64(len(m.edges)), Instances: int64(len(m.instances))}
	for _, img := range m.images {
		if img.Kind == KindIndex {
			c.Indexes++
		} else {
			c.Images++
		}
	}
	for _, names := range m.tags {
		for _, past := range names {
			if past[len(past)-1].Until.IsZero() {
				c.Tags++
			}
		}
	}
	return c, nil
}

// Close does nothing.
func (m *Memory) Close() error { return nil }

func values[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}
