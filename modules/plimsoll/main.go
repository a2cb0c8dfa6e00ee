// Plimsoll holds container images to the line that Ops draws.
//
// It lints a definition, builds it on approved bases only, tests the image, publishes it by digest with evidence, and verifies
// the evidence of others. Each function answers with an object: look at it with findings, report, sarif or html, and fail on
// it with assert.
package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/plimsoll-dev/plimsoll/modules/plimsoll/internal/dagger"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/catalogs"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/cel"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// Plimsoll is what all functions have in common.
type Plimsoll struct {
	Catalog    *dagger.File   // +private
	CatalogRef string         // +private
	CatalogKey *dagger.File   // +private
	Host       string         // +private
	User       string         // +private
	Password   *dagger.Secret // +private
	PlainHTTP  []string       // +private
}

func New(
	// Ops' catalog of base images, a file
	// +optional
	catalog *dagger.File,
	// Ops' catalog in a registry instead: repository:tag with --catalog-key, or repository@digest
	// +optional
	catalogRef string,
	// Public keys that are trusted to sign the catalog in the registry
	// +optional
	catalogKey *dagger.File,
	// Registry that the user and password are for, such as registry.example
	// +optional
	registry string,
	// User for the registry
	// +optional
	username string,
	// Password or token for the registry
	// +optional
	password *dagger.Secret,
	// Registries that may be spoken to without TLS, HOST[:PORT]
	// +optional
	plainHttp []string,
) *Plimsoll {
	return &Plimsoll{
		Catalog: catalog, CatalogRef: catalogRef, CatalogKey: catalogKey,
		Host: registry, User: username, Password: password, PlainHTTP: plainHttp,
	}
}

// client speaks to registries with the credentials that were given, and anonymously to others.
func (m *Plimsoll) client(ctx context.Context) (*registry.Client, error) {
	keys := keychain{host: m.Host}
	if m.Password != nil {
		if m.Host == "" {
			return nil, errors.New("--password: for which registry? Name it with --registry")
		}
		password, err := m.Password.Plaintext(ctx)
		if err != nil {
			return nil, err
		}
		keys.config = authn.AuthConfig{Username: m.User, Password: password}
	}
	plain := func(host string) bool { return slices.Contains(m.PlainHTTP, host) }
	return registry.New(registry.Options{Keychain: keys, Insecure: plain}), nil
}

// keychain has the credentials of one registry.
type keychain struct {
	host   string
	config authn.AuthConfig
}

// Resolve finds a registry's credentials.
func (k keychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if k.host == "" || r.RegistryStr() != k.host {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(k.config), nil
}

// loadCatalog reads the catalog that was named.
func (m *Plimsoll) loadCatalog(ctx context.Context, client *registry.Client) (*catalog.Catalog, error) {
	loader := catalog.Loader{Conditions: cel.Compile}
	switch {
	case m.Catalog != nil && m.CatalogRef != "":
		return nil, errors.New("--catalog and --catalog-ref are two catalogs: name one")
	case m.Catalog != nil:
		dir, name, err := save(ctx, m.Catalog)
		if err != nil {
			return nil, err
		}
		return loader.LoadContext(ctx, dir, name)
	case m.CatalogRef == "":
		return nil, errors.New("no catalog of base images: name Ops' with --catalog FILE or --catalog-ref REPOSITORY:TAG, before the function's name")
	}
	opts := catalogs.PullOptions{At: now(), Loader: loader}
	if m.CatalogKey != nil {
		trusted, err := m.keys(ctx, m.CatalogKey)
		if err != nil {
			return nil, err
		}
		opts.Trust = trusted
	}
	pulled, err := catalogs.Pull(ctx, client, strings.TrimPrefix(m.CatalogRef, "oci://"), opts)
	if err != nil {
		return nil, err
	}
	return pulled.Catalog, nil
}

// keys reads public keys.
func (m *Plimsoll) keys(ctx context.Context, file *dagger.File) (attest.Keys, error) {
	text, err := file.Contents(ctx)
	if err != nil {
		return nil, err
	}
	name, err := file.Name(ctx)
	if err != nil {
		return nil, err
	}
	return attest.LoadKeys(name, []byte(text))
}
