package homes

import (
	"fmt"
	"os"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/cel"
)

// LoadCatalog reads a catalog from a file, or from all YAML files below a directory.
func LoadCatalog(path string) (*catalog.Catalog, error) {
	loader := catalog.Loader{Conditions: cel.Compile}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the catalog: %w", err)
	}
	if info.IsDir() {
		cat, err := loader.LoadFS(os.DirFS(path), ".")
		if err != nil {
			return nil, fmt.Errorf("the catalog in %s: %w", path, err)
		}
		return cat, nil
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return loader.Load(path, src)
}
