package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"os"
	"path/filepath"

	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// catalogFile is what Ops allows in the demonstration.
//
//go:embed catalog.yaml
var catalogFile []byte

// demonstration is all that the program brings with it where no flag names the user's own.
type demonstration struct {
	catalog *catalog.Catalog
	// refusal says that the second, forbidden definition is there to be tried.
	refusal bool

	registry *registrytest.Server
	dir      *homes.RunDir
}

// setUp starts what the flags did not name, and sets the flags to it.
func setUp(ctx context.Context, o *options, state string, client *registry.Client) (_ *demonstration, err error) {
	switch own := o.repo != ""; {
	case own && o.catalog == "":
		return nil, errors.New("--repo needs --catalog: what is allowed for your own definitions is yours to say")
	case !own && (o.catalog != "" || o.commit != "" || o.dir != "" || o.dockerfile != ""):
		return nil, errors.New("--catalog, --commit, --dir and --dockerfile need --repo")
	}
	d := &demonstration{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.dir, err = homes.NewRunDir(state); err != nil {
		return nil, err
	}
	if o.repo != "" {
		d.catalog, err = homes.OpenCatalog(ctx, homes.CatalogSource{Path: o.catalog, Key: o.catalogKey, State: state, Client: client})
		return d, err
	}
	blobs := filepath.Join(d.dir.Path, "blobs")
	if err := os.Mkdir(blobs, 0o755); err != nil {
		return nil, err
	}
	if d.registry, err = registrytest.Start(registrytest.Options{Addr: o.listen, Dir: blobs}); err != nil {
		return nil, err
	}
	if err := pushBases(ctx, client, d.registry.Host); err != nil {
		return nil, err
	}
	o.repo = filepath.Join(d.dir.Path, "greeter")
	if o.commit, err = commitService(o.repo, d.registry.Host); err != nil {
		return nil, err
	}
	if o.registry == "" {
		o.registry = d.registry.Host + "/team/greeter"
	}
	d.refusal = true
	d.catalog, err = catalog.Load("catalog.yaml", bytes.ReplaceAll(catalogFile, []byte("localhost:5000"), []byte(d.registry.Host)))
	return d, err
}

// close stops the registry and removes what was made for one run.
func (d *demonstration) close() error {
	var err error
	if d.registry != nil {
		err = d.registry.Close()
	}
	if d.dir != nil {
		err = errors.Join(err, d.dir.Close())
	}
	return err
}
