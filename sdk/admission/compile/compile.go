// Package compile makes the deny bundle of a catalog's bans and what lineage knows: for each ban all images that stand on
// what it names, with the path that says so, by every digest that a gate may meet.
//
//	b := bundle.NewBuilder(bundle.Header{Name: "production", Version: 43, Issued: now, Expires: now.Add(24 * time.Hour), Catalog: cat.Digest()})
//	report, err := compile.Compile(ctx, b, cat, store, compile.Options{})
//	err = b.Write(ctx, file, keys.Signer(key))
//
// Listed are the digests of manifests and configs, of indexes that have them (denied if one of their platforms is), and
// the ChainIDs of what a ban names, by which a gate recognises what nobody recorded. All other images that have a tag are
// listed as known.
//
// A ban that comes later is in the bundle with its time, so a gate needs no new one for it. A project with an exception is
// warned until that ends, and denied then. What a ban names and lineage does not know is denied by its digests alone; a
// ban by tags needs lineage to have seen the tags.
package compile

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// Options narrow down what is denied. The zero value denies by every kind of evidence.
type Options struct {
	// AtLeast is the poorest evidence that denies. Above [lineage.GradeLayers] nothing is recognised by its layers either.
	AtLeast lineage.Grade
	// Runtime leaves out images that had what is banned at work in their build only.
	Runtime bool
	// At is the time by which bans and exceptions are judged, usually now. Required.
	At time.Time
}

// Report counts what each ban came to.
type Report struct {
	Bans  []Count `json:"bans"`
	Known int     `json:"known"` // images listed as known or denied
}

// Count is of one ban.
type Count struct {
	Ban string `json:"ban"`
	// Images are manifests, the ones that it names included; Excepted are those of projects with an exception.
	Images   int `json:"images"`
	Excepted int `json:"excepted,omitempty"`
}

// Compile adds to a builder what a catalog's bans deny. An error leaves the builder of no use: nothing is denied by half.
func Compile(ctx context.Context, b *bundle.Builder, cat *catalog.Catalog, store lineage.Store, opts Options) (*Report, error) {
	c := &compiler{builder: b, catalog: cat, store: store, opts: opts}
	report := &Report{Bans: []Count{}}
	for _, ban := range cat.Bans() {
		if ban.Effect(opts.At) == catalog.EffectLifted {
			continue
		}
		count, err := c.ban(ctx, &ban)
		if err != nil {
			return nil, fmt.Errorf("ban %s: %w", ban.ID, err)
		}
		report.Bans = append(report.Bans, count)
	}
	known, err := c.known(ctx)
	if err != nil {
		return nil, fmt.Errorf("known images: %w", err)
	}
	report.Known = known
	return report, nil
}

type compiler struct {
	builder *bundle.Builder
	catalog *catalog.Catalog
	store   lineage.Store
	opts    Options
}

// batch is how many images the store is asked about at a time.
const batch = 1000

func (c *compiler) ban(ctx context.Context, ban *catalog.BanMatcher) (Count, error) {
	w := &walk{compiler: c, ban: ban, id: c.builder.Ban(entry(ban)), nodes: map[string]bundle.NodeID{}, seen: map[string]bundle.Cause{}}
	w.count.Ban = ban.ID
	for _, digest := range ban.Digests { // also those of which lineage knows nothing
		c.builder.Deny(digest, bundle.Cause{Ban: w.id})
	}
	if ban.Package != nil {
		return w.count, w.carriers(ctx)
	}
	if err := w.derived(ctx, lineage.OfBan(ban)); err != nil {
		return w.count, err
	}
	return w.count, w.flush(ctx)
}

// entry is what a gate has to know of a ban.
func entry(ban *catalog.BanMatcher) bundle.Ban {
	e := bundle.Ban{
		ID: ban.ID, Reason: ban.Reason, Advisory: ban.Advisory, Severity: ban.Severity,
		WarnFrom: ban.WarnFrom.Begin(), DenyFrom: ban.DenyFrom.Begin(), By: ban.Author + ", approved by " + ban.Approver,
		WayOut: "rebuild it on a base that is not banned",
	}
	if ban.Replacement != nil {
		e.WayOut = "rebuild it on " + ban.Replacement.String()
	}
	return e
}

// walk is over what one ban denies.
type walk struct {
	*compiler
	ban     *catalog.BanMatcher
	id      bundle.BanID
	nodes   map[string]bundle.NodeID // by what edges call a base: its digest, or its name
	seen    map[string]bundle.Cause  // of what was visited, by manifest and config digest
	waiting []waiting
	count   Count
}

// waiting is an image that is denied, and is not in the bundle yet.
type waiting struct {
	image lineage.Image
	cause bundle.Cause
}

func (w *walk) derived(ctx context.Context, of lineage.Of) error {
	opts := lineage.Options{AtLeast: w.opts.AtLeast, Runtime: w.opts.Runtime, Self: true}
	for v, err := range lineage.Derived(ctx, w.store, of, opts) {
		if err != nil {
			return err
		}
		cause, err := w.cause(ctx, v)
		if err != nil {
			return err
		}
		w.seen[v.Image.Digest] = cause
		if v.Image.Config != "" {
			w.seen[v.Image.Config] = cause
		}
		if v.Depth == 0 && v.Image.Chain != "" && w.opts.AtLeast <= lineage.GradeLayers {
			w.builder.Deny(v.Image.Chain, bundle.Cause{Ban: w.id})
		}
		if w.waiting = append(w.waiting, waiting{v.Image, cause}); len(w.waiting) >= batch {
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// cause says on which image a visited one stands. The one below was visited before.
func (w *walk) cause(ctx context.Context, v lineage.Visit) (bundle.Cause, error) {
	cause := bundle.Cause{Ban: w.id}
	if v.Depth > 0 {
		below, err := w.below(ctx, v.Edge)
		if err != nil {
			return cause, err
		}
		cause.On, cause.Role, cause.Evidence = below, string(v.Edge.Role), v.Edge.Grade.String()
	}
	return cause, nil
}

// below returns the node that an edge leads to.
func (w *walk) below(ctx context.Context, e lineage.Edge) (bundle.NodeID, error) {
	key := e.Base
	if key == "" {
		key = e.Name
	}
	if id, ok := w.nodes[key]; ok {
		return id, nil
	}
	node := bundle.Node{Digest: e.Base, Name: e.Name}
	if e.Base != "" {
		from, err := w.underneath(ctx, e.Base)
		if err != nil {
			return 0, err
		}
		node.Base, node.Role, node.Evidence = from.On, from.Role, from.Evidence
		if node.Name == "" {
			if node.Name, err = w.name(ctx, e.Base); err != nil {
				return 0, err
			}
		}
	}
	id := w.builder.Node(node)
	w.nodes[key] = id
	return id, nil
}

// underneath finds what a base stands on itself, among what was denied before: the path goes on there.
func (w *walk) underneath(ctx context.Context, digest string) (bundle.Cause, error) {
	if cause, ok := w.seen[digest]; ok {
		return cause, nil
	}
	for img, err := range w.store.Images(ctx, []string{digest}) {
		if err != nil {
			return bundle.Cause{}, err
		}
		for _, d := range append([]string{img.Digest, img.Config}, children(img)...) {
			if cause, ok := w.seen[d]; ok {
				return cause, nil
			}
		}
	}
	return bundle.Cause{}, nil
}

func children(img lineage.Image) []string {
	var digests []string
	for _, m := range img.Manifests {
		digests = append(digests, m.Digest)
	}
	return digests
}

// name is one of the tags of an image.
func (w *walk) name(ctx context.Context, digest string) (string, error) {
	for tag, err := range w.store.Tags(ctx, lineage.TagFilter{Digests: []string{digest}}) {
		if err != nil {
			return "", err
		}
		return tag.String(), nil
	}
	return "", nil
}

// carriers denies the images that have a package.
func (w *walk) carriers(ctx context.Context) error {
	for c, err := range lineage.Carrying(ctx, w.store, *w.ban.Package) {
		if err != nil {
			return err
		}
		w.waiting = append(w.waiting, waiting{c.Image, bundle.Cause{Ban: w.id}})
	}
	return w.flush(ctx)
}

// flush denies what waits, and the indexes that have it.
func (w *walk) flush(ctx context.Context) error {
	for part := range slices.Chunk(w.waiting, batch) {
		causes := map[string]bundle.Cause{}
		var digests []string
		for _, x := range part {
			if x.image.Digest == "" {
				continue
			}
			cause, err := w.excepted(x)
			if err != nil {
				return err
			}
			for _, digest := range []string{x.image.Digest, x.image.Config} {
				if digest != "" {
					w.builder.Deny(digest, cause)
				}
			}
			causes[x.image.Digest] = cause
			digests = append(digests, x.image.Digest)
			if x.image.Kind != lineage.KindIndex {
				w.count.Images++
			}
		}
		if err := w.indexes(ctx, digests, causes); err != nil {
			return err
		}
	}
	w.waiting = w.waiting[:0]
	return nil
}

// indexes denies what has one of the manifests among its platforms. They are found by their tags.
func (w *walk) indexes(ctx context.Context, digests []string, causes map[string]bundle.Cause) error {
	var above []string
	for tag, err := range w.store.Tags(ctx, lineage.TagFilter{Digests: digests}) {
		if err != nil {
			return err
		}
		if _, ok := causes[tag.Digest]; !ok {
			above = append(above, tag.Digest)
		}
	}
	slices.Sort(above)
	for index, err := range w.store.Images(ctx, slices.Compact(above)) {
		if err != nil {
			return err
		}
		for _, m := range index.Manifests {
			if cause, ok := causes[m.Digest]; ok {
				w.builder.Deny(index.Digest, cause)
			}
		}
	}
	return nil
}

// excepted gives an image of a project with an exception a ban of its own, which warns until the exception ends.
func (w *walk) excepted(x waiting) (bundle.Cause, error) {
	d := x.image.Definition
	if d.Repository == "" || d.Grade < lineage.GradeBuild { // whoever pushes could say so
		return x.cause, nil
	}
	project := catalog.Project{Repository: d.Repository, Directory: path.Dir(path.Clean("/" + d.Path))[1:]}
	e, ok, err := w.catalog.Excepted(w.ban.ID, project, w.opts.At)
	if err != nil || !ok {
		return x.cause, err
	}
	own := entry(w.ban)
	own.WarnFrom, own.DenyFrom = w.opts.At, e.Until.End()
	own.Reason += fmt.Sprintf("; exception %s of %s holds until %s", e.ID, e.Owner, e.Until)
	x.cause.Ban = w.builder.Ban(own)
	w.count.Excepted++
	return x.cause, nil
}

// known lists everything that has a tag, and the manifests of indexes that have one.
func (c *compiler) known(ctx context.Context) (int, error) {
	var digests []string
	for tag, err := range c.store.Tags(ctx, lineage.TagFilter{Current: true}) {
		if err != nil {
			return 0, err
		}
		if tag.Digest != "" {
			digests = append(digests, tag.Digest)
		}
	}
	count := 0
	for len(digests) > 0 {
		slices.Sort(digests)
		digests = slices.Compact(digests)
		var below []string
		for part := range slices.Chunk(digests, batch) {
			for img, err := range c.store.Images(ctx, part) {
				if err != nil {
					return 0, err
				}
				c.builder.Know(img.Digest)
				if img.Config != "" {
					c.builder.Know(img.Config)
				}
				if img.Kind == lineage.KindIndex {
					below = append(below, children(img)...)
				}
				count++
			}
		}
		digests = below
	}
	return count, nil
}
