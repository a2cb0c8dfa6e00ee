package catalog

// Origin is where a catalog is from, when that is a registry: it ends up in plans and thereby in records.
type Origin struct {
	// Reference is what was asked for, "registry.example/ops/catalog:current", Digest what that was.
	Reference string `json:"reference"`
	Digest    string `json:"digest,omitempty"`
	// Version is the catalog's, which only grows.
	Version uint64 `json:"version,omitempty"`
	// SignedBy is who signed it; empty when it was pinned by digest and nobody was asked for.
	SignedBy string `json:"signedBy,omitempty"`
}

// Origin is where the catalog is from, zero unless its [Loader] knew.
func (c *Catalog) Origin() Origin { return c.origin }
