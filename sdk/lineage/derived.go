package lineage

import (
	"context"
	"iter"
	"maps"
	"slices"
)

// Derived visits everything that stands on the images meant, directly or not, each once: what the best evidence says
// first. It costs what it finds, not what there is, and remembers some 50 bytes for each image.
//
// What it visits are manifests. [Store.Tags] has their names.
func Derived(ctx context.Context, store Store, of Of, opts Options) iter.Seq2[Visit, error] {
	return func(yield func(Visit, error) bool) {
		meant, err := of.Resolve(ctx, store)
		if err != nil {
			yield(Visit{}, err)
			return
		}
		w := walker{opts: opts}
		chains := map[string]bool{}
		first := true
		next := func(ctx context.Context, now []Visit) iter.Seq2[step, error] {
			return func(yield func(step, error) bool) {
				if first && of.Repository != "" {
					for e, err := range store.Named(ctx, of.Repository) {
						if (err != nil || of.means(e.Name)) && !yield(step{image: e.Image, edge: e}, err) {
							return
						}
					}
				}
				first = false
				for e, err := range store.On(ctx, identities(now, chains)) {
					if !yield(step{image: e.Image, edge: e}, err) {
						return
					}
				}
			}
		}
		start := selves(meant)
		if len(start) == 0 { // nothing is known by the name but what evidence says
			start = []Visit{{Runtime: true, Grade: GradeSigned}}
			w.opts.Self = false
		}
		for v, err := range w.walk(ctx, start, next) {
			if !yield(v, err) {
				return
			}
		}
	}
}

// selves are the images that a walk starts at.
func selves(meant []Image) []Visit {
	var start []Visit
	for _, img := range meant {
		start = append(start, Visit{Image: img, Runtime: true, Grade: GradeSigned})
	}
	return start
}

// identities are what a store is asked about images with. The same layers are asked about once in a walk: many images
// may have them.
func identities(now []Visit, chains map[string]bool) []Image {
	var asked []Image
	for _, v := range now {
		img := v.Image
		if chains[img.Chain] {
			img.Chain = ""
		} else if img.Chain != "" {
			chains[img.Chain] = true
		}
		if img.Digest != "" {
			asked = append(asked, img)
		}
	}
	return asked
}

// Bases visits everything that images stand on, directly or not: what the best evidence says first. A base of which the
// evidence has a name only comes without a digest.
func Bases(ctx context.Context, store Store, of Of, opts Options) iter.Seq2[Visit, error] {
	return func(yield func(Visit, error) bool) {
		meant, err := of.Resolve(ctx, store)
		if err != nil {
			yield(Visit{}, err)
			return
		}
		w := walker{opts: opts}
		for v, err := range w.walk(ctx, selves(meant), under(store)) {
			if !yield(v, err) {
				return
			}
		}
	}
}

// under finds the images below those visited. What evidence names is looked up: of an index it is the manifest for the
// platform of the image above.
func under(store Store) func(context.Context, []Visit) iter.Seq2[step, error] {
	return func(ctx context.Context, now []Visit) iter.Seq2[step, error] {
		return func(yield func(step, error) bool) {
			edges, bases, err := edgesUnder(ctx, store, now)
			if err != nil {
				yield(step{}, err)
				return
			}
			for _, e := range edges {
				for _, base := range bases[e.Base] {
					if SamePlatform(base.Platform, e.Image.Platform) && !yield(step{image: base, edge: e, from: e.Image.Digest}, nil) {
						return
					}
				}
				if len(bases[e.Base]) == 0 && !yield(step{image: Image{Digest: e.Base}, edge: e, from: e.Image.Digest}, nil) {
					return
				}
			}
		}
	}
}

// edgesUnder returns the edges below images, and by the digest of each base the manifests that it means.
func edgesUnder(ctx context.Context, store Store, now []Visit) ([]Edge, map[string][]Image, error) {
	var images []Image
	for _, v := range now {
		if v.Image.Digest != "" {
			images = append(images, v.Image)
		}
	}
	var edges []Edge
	named := map[string]bool{}
	for e, err := range store.Under(ctx, images) {
		if err != nil {
			return nil, nil, err
		}
		if edges = append(edges, e); e.Base != "" {
			named[e.Base] = true
		}
	}
	found, err := expand(ctx, store, slices.Collect(maps.Keys(named)))
	if err != nil {
		return nil, nil, err
	}
	byDigest := map[string]Image{}
	for _, img := range found {
		byDigest[img.Digest] = img
	}
	bases := map[string][]Image{}
	for _, img := range found {
		if len(img.Manifests) == 0 {
			bases[img.Digest] = append(bases[img.Digest], img)
			if img.Config != "" && named[img.Config] {
				bases[img.Config] = append(bases[img.Config], img)
			}
			continue
		}
		for _, child := range img.Manifests {
			below := byDigest[child.Digest]
			if below.Platform == "" {
				below.Platform = child.Platform
			}
			bases[img.Digest] = append(bases[img.Digest], below)
		}
	}
	return edges, bases, nil
}
