package catalog_test

import (
	"context"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
)

// generous is a registry that has everything.
type generous struct{ some map[string]string }

func (g generous) Resolve(_ context.Context, ref string) (string, error) {
	if digest, ok := g.some[ref]; ok {
		return digest, nil
	}
	return catalogtest.Digest(ref), nil
}

func (g generous) Tags(context.Context, string) ([]string, error) { return []string{"12.5"}, nil }

func (g generous) Config(_ context.Context, ref, platform string) (catalog.ImageConfig, error) {
	return catalog.ImageConfig{Ref: ref, Platform: platform, Manifest: catalogtest.Digest(ref + platform), Config: []byte(`{"created":"2026-06-01T00:00:00Z"}`)}, nil
}
