package homes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/catalogs"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/cosign"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages/installed"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/cel"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// CatalogHelp says what a catalog may be named as.
const CatalogHelp = "catalog: a file, a directory, or oci://registry/repository with a digest or a tag"

// CatalogSource says where a catalog is and what is accepted.
type CatalogSource struct {
	// Path is a file, a directory, or oci://registry/repository with :tag or @digest.
	Path string
	// Key is a file with the public keys that are trusted to sign it in a registry; required for tags.
	Key string
	// Name is the one that it was pushed with. Default: the repository's path.
	Name string
	// State is the directory that remembers which version was seen.
	State string
	// Client reads from registries.
	Client *registry.Client
}

// LoadCatalog is [OpenCatalog] for programs that take a file, a directory, or a catalog in a registry by its digest.
func LoadCatalog(path string) (*catalog.Catalog, error) {
	client := registry.New(registry.Options{Keychain: authn.DefaultKeychain})
	defer client.Close()
	return OpenCatalog(context.Background(), CatalogSource{Path: path, Client: client})
}

// OpenCatalog loads a catalog with all that it includes.
func OpenCatalog(ctx context.Context, s CatalogSource) (*catalog.Catalog, error) {
	if ref, ok := strings.CutPrefix(s.Path, "oci://"); ok {
		pulled, err := s.pull(ctx, ref)
		if err != nil {
			return nil, err
		}
		return pulled.Catalog, nil
	}
	files, root, loader, err := CatalogFiles(s.Path, CatalogLoader(s.Client))
	if err != nil {
		return nil, err
	}
	return loader.LoadContext(ctx, files, root)
}

func (s CatalogSource) pull(ctx context.Context, ref string) (*catalogs.Pulled, error) {
	opts := catalogs.PullOptions{At: time.Now(), Name: s.Name, Loader: CatalogLoader(s.Client)}
	if s.Key != "" {
		trusted, err := LoadKeys(s.Key)
		if err != nil {
			return nil, err
		}
		opts.Trust, opts.Seen = trusted, catalogs.Dir(filepath.Join(s.State, "catalogs"))
	}
	pulled, err := catalogs.Pull(ctx, s.Client, ref, opts)
	if err != nil {
		return nil, fmt.Errorf("the catalog: %w", err)
	}
	return pulled, nil
}

// PullCatalog writes the files of a catalog in a registry into a directory that does not exist or is empty. Nothing is
// there when it fails.
func PullCatalog(ctx context.Context, s CatalogSource, dir string) (_ *catalog.Catalog, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) > 0:
		return nil, fmt.Errorf("%s is not empty: name a new directory", dir)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	pulled, err := s.pull(ctx, strings.TrimPrefix(s.Path, "oci://"))
	if err != nil {
		return nil, err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	temporary, err := os.MkdirTemp(parent, ".catalog-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	made := filepath.Join(temporary, "catalog")
	if err := os.CopyFS(made, pulled.Files); err != nil {
		return nil, err
	}
	if err := os.Rename(made, dir); err != nil { // takes the place of an empty directory
		return nil, err
	}
	return pulled.Catalog, nil
}

// CatalogLoader is how programs load catalogs.
func CatalogLoader(client *registry.Client) catalog.Loader {
	git := func(ctx context.Context, repository, commit string) (fs.FS, error) {
		return source.Files(ctx, repository, commit, source.Options{})
	}
	return catalog.Loader{Conditions: cel.Compile, Fetch: catalogs.Fetcher(client, git)}
}

// CatalogFiles opens a catalog that is a file or a directory: what to load, and a loader that names its files so that
// people find them from where they are.
func CatalogFiles(path string, loader catalog.Loader) (fs.FS, string, catalog.Loader, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", loader, fmt.Errorf("the catalog: %w", err)
	}
	dir, root := filepath.Split(filepath.Clean(path))
	if info.IsDir() {
		dir, root = path, "."
	}
	loader.Directory = filepath.ToSlash(filepath.Clean(dir))
	if dir == "" {
		dir, loader.Directory = ".", ""
	}
	return os.DirFS(dir), root, loader, nil
}

// LoadKeys reads public keys from a file.
func LoadKeys(path string) (attest.Keys, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("trusted keys: %w", err)
	}
	return attest.LoadKeys(path, src)
}

// CatalogFacts answers what catalogs ask.
func CatalogFacts(client *registry.Client) catalog.FactSet {
	return catalog.FactSet{Facts: client, Signatures: cosign.New(client), Packages: installed.New(client)}
}
