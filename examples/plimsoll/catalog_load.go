package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// trust says which catalogs from a registry are accepted.
type trust struct {
	key, name, state string
}

func (t *trust) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.key, "catalog-key", "", "public keys that sign the catalog: a PEM file, or YAML with names and dates (required for a tag)")
	f.StringVar(&t.name, "catalog-name", "", "name that the catalog was pushed with (default: its repository's path)")
	if f.Lookup("state") == nil {
		f.StringVar(&t.state, "state", "", "directory that remembers the newest version seen (default: plimsoll in the user's cache directory)")
	}
}

// load loads a catalog with all that it includes.
func (t *trust) load(ctx context.Context, path, state string, client *registry.Client) (*catalog.Catalog, error) {
	from, err := t.source(path, state, client)
	if err != nil {
		return nil, err
	}
	return homes.OpenCatalog(ctx, from)
}

// source says where a catalog is and what is accepted. state is instead of the flag of that name.
func (t *trust) source(path, state string, client *registry.Client) (homes.CatalogSource, error) {
	from := homes.CatalogSource{Path: path, Key: t.key, Name: t.name, Client: client}
	if t.key != "" {
		if state == "" {
			state = t.state
		}
		var err error
		if from.State, err = homes.StateDir(state, "plimsoll"); err != nil {
			return from, err
		}
	}
	return from, nil
}

// anyCatalog is a catalog that is named as an argument, and how to reach it.
type anyCatalog struct {
	trust
	plainHTTP []string
}

func (c *anyCatalog) flags(cmd *cobra.Command) {
	c.trust.flags(cmd)
	plainHTTPFlag(cmd, &c.plainHTTP)
}

func (c *anyCatalog) load(cmd *cobra.Command, path string) (*catalog.Catalog, error) {
	client := newRegistry(c.plainHTTP)
	defer client.Close()
	return c.trust.load(cmd.Context(), path, "", client)
}
