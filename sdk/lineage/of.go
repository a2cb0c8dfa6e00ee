package lineage

import (
	"context"
	"fmt"
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// Of says which images are meant: all that any of its parts names.
type Of struct {
	// Digests are of manifests, indexes or configs; an index means each of its manifests. They need not be known.
	Digests []string
	// Repository means what its tags point to or ever pointed to, and what evidence calls by its name:
	// "docker.io/library/debian".
	Repository string
	// Tag narrows Repository down to tags. Nil means all of them, and what has no tag.
	Tag func(tag string) bool
}

// OfBan is what a ban of bases names. A ban of a package is asked about with [Carrying] instead.
func OfBan(ban *catalog.BanMatcher) Of {
	of := Of{Digests: ban.Digests}
	if len(ban.Tags) > 0 || ban.Versions != "" || ban.Whole() {
		of.Repository = ban.Repository
		if !ban.Whole() {
			of.Tag = ban.NamesTag
		}
	}
	return of
}

// Resolve returns the images meant, as far as they are known: manifests, indexes, and digests of which nothing else is.
func (of Of) Resolve(ctx context.Context, store Store) ([]Image, error) {
	digests := slices.Clone(of.Digests)
	for _, d := range digests {
		if !validDigest(d) {
			return nil, fmt.Errorf("%w: %q is not a digest (sha256: and 64 hex digits in lower case)", ErrInvalid, d)
		}
	}
	if len(digests) == 0 && of.Repository == "" {
		return nil, fmt.Errorf("%w: neither digest nor repository is given", ErrInvalid)
	}
	if of.Repository != "" {
		for tag, err := range store.Tags(ctx, TagFilter{Repository: of.Repository}) {
			if err != nil {
				return nil, err
			}
			if of.Tag == nil || of.Tag(tag.Name) {
				digests = append(digests, tag.Digest)
			}
		}
	}
	return expand(ctx, store, digests)
}

// expand looks digests up, and the manifests of indexes among them. What is not known stays a bare digest.
func expand(ctx context.Context, store Store, digests []string) ([]Image, error) {
	slices.Sort(digests)
	digests = slices.Compact(digests)
	found, err := lookUp(ctx, store, digests)
	if err != nil {
		return nil, err
	}
	var children []string
	for _, img := range found {
		for _, child := range img.Manifests {
			if !slices.Contains(digests, child.Digest) {
				children = append(children, child.Digest)
			}
		}
	}
	if len(children) == 0 {
		return found, nil
	}
	slices.Sort(children)
	below, err := expand(ctx, store, slices.Compact(children))
	return append(found, below...), err
}

// lookUp returns the images of digests of any kind, and a bare image for each digest that is not known.
func lookUp(ctx context.Context, store Store, digests []string) ([]Image, error) {
	var found []Image
	known := map[string]bool{}
	for img, err := range store.Images(ctx, digests) {
		if err != nil {
			return nil, err
		}
		if found = append(found, img); img.Config != "" {
			known[img.Config] = true
		}
		known[img.Digest] = true
	}
	for _, d := range digests {
		if !known[d] {
			found = append(found, Image{Digest: d})
		}
	}
	return found, nil
}

// means says whether an edge's name is meant.
func (of Of) means(name string) bool {
	repository, tag := SplitName(name)
	return of.Repository != "" && repository == of.Repository && (of.Tag == nil || tag != "" && of.Tag(tag))
}
