//go:build linux

package embedded

import (
	"github.com/moby/buildkit/cache"
	"github.com/moby/buildkit/cache/contenthash"
	"github.com/moby/buildkit/cache/metadata"
)

// forget removes a store's trees from the checksums that BuildKit keeps for the whole process. Those are bound to the
// open store: an engine that is started later in the same directory would use them and find the store closed.
func forget(store *metadata.Store) error {
	items, err := store.All()
	if err != nil {
		return err
	}
	for _, item := range items {
		contenthash.ClearCacheContext(ref{id: item.ID()})
	}
	return nil
}

// ref is all that ClearCacheContext looks at.
type ref struct {
	cache.RefMetadata

	id string
}

func (r ref) ID() string { return r.id }
