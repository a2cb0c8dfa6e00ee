package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/Khan/genqlient/graphql"

	"github.com/plimsoll-dev/plimsoll/modules/plimsoll/internal/dagger"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/cosign"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages/installed"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
	builder "github.com/plimsoll-dev/plimsoll/sdk/build/dagger"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/template"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// Delivery is what became of a definition.
type Delivery struct {
	// What the catalog and the rules found
	Report *Report
	// The image's digest, empty when it was refused
	Digest string
	// Where the image was published, by digest; empty when it was not
	Reference string
	// What was done, with inputs, decisions and durations, as JSON
	Record string
	Image  *dagger.File      // +private
	Files  *dagger.Directory // +private
}

// order is what a function was asked to deliver.
type order struct {
	src                    *dagger.Directory
	repo, ref              string
	platforms, args        []string
	network, dirty, noTest bool
	publish, builderID     string
	tags                   []string
	key, passphrase        *dagger.Secret
	load                   source.Options
	target                 string
}

// deliver runs the SDK's pipeline on the engine that this module runs on.
func (m *Plimsoll) deliver(ctx context.Context, o order) (*Delivery, error) {
	client, err := m.client(ctx)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	cat, err := m.loadCatalog(ctx, client)
	if err != nil {
		return nil, err
	}
	o.load.Compilers = []definition.Compiler{template.Compiler{Templates: cat.Templates()}}
	o.load.AllowDirty = o.dirty
	on, err := builder.New(ctx, query, builder.Options{Registry: client, Upload: builder.UploadWorkdir, Scratch: "."})
	if err != nil {
		return nil, err
	}
	delivery := pipeline.Delivery{
		Catalog: cat, Registry: client, Signatures: cosign.New(client), Packages: installed.New(client), Builder: on, Rules: rules.All(),
	}
	if delivery.Evidence, err = evidence(ctx, client, o); err != nil {
		return nil, err
	}
	asked, err := o.pipeline(ctx)
	if err != nil {
		return nil, err
	}
	events := func(e pipeline.Event) {
		fmt.Println(e.Stage, e.State, e.Message)
	}
	done, err := delivery.Run(ctx, pipeline.NewRun(pipeline.Options{Events: events}), asked)
	if _, refused := errors.AsType[*finding.GateError](err); err != nil && !refused {
		return nil, err
	}
	return newDelivery(done, asked.Layout, err)
}

// query sends a request by the connection that modules have.
func query(ctx context.Context, text string, variables map[string]any, data any) error {
	return dag.GraphQLClient().MakeRequest(ctx, &graphql.Request{Query: text, Variables: variables}, &graphql.Response{Data: data})
}

// pipeline is the order as the SDK takes it.
func (o order) pipeline(ctx context.Context) (pipeline.Order, error) {
	layout, err := filepath.Abs("layout")
	if err != nil {
		return pipeline.Order{}, err
	}
	asked := pipeline.Order{
		Repository: o.repo, Ref: o.ref, Load: o.load, Platforms: o.platforms, Target: o.target, Layout: layout,
		BuildOnly: o.noTest, Publish: o.publish, Tags: o.tags,
	}
	if o.network {
		asked.Network = build.NetworkHost
	}
	if asked.Args, err = pairs(o.args); err != nil {
		return asked, err
	}
	switch {
	case (o.src == nil) == (o.repo == ""):
		return asked, errors.New("name what to build: a directory with --src, or a repository's URL with --repo and a commit with --ref")
	case o.repo != "":
		return asked, nil
	}
	asked.Repository, err = unpack(ctx, o.src, "src")
	if err != nil {
		return asked, err
	}
	if _, err := os.Stat(filepath.Join(asked.Repository, ".git")); err != nil {
		asked.Files = os.DirFS(asked.Repository)
	}
	return asked, nil
}

// pairs reads NAME=VALUE.
func pairs(list []string) (map[string]string, error) {
	all := map[string]string{}
	for _, pair := range list {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--build-arg %q: write NAME=VALUE", pair)
		}
		all[name] = value
	}
	return all, nil
}

// evidence signs with the key that was given; none without one.
func evidence(ctx context.Context, client *registry.Client, o order) (*pipeline.Evidence, error) {
	if o.key == nil {
		return nil, nil
	}
	if o.builderID == "" {
		return nil, errors.New("--key without --builder-id: name the URI that provenance has as builder")
	}
	var secret []byte
	if o.passphrase != nil {
		text, err := o.passphrase.Plaintext(ctx)
		if err != nil {
			return nil, err
		}
		secret = []byte(text)
	}
	pem, err := o.key.Plaintext(ctx)
	if err != nil {
		return nil, err
	}
	key, err := attest.LoadKey([]byte(pem), secret)
	if err != nil {
		return nil, err
	}
	return &pipeline.Evidence{Signer: key, Store: attest.NewStore(client, attest.StoreOptions{}), Builder: o.builderID}, nil
}
