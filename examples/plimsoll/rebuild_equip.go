package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/features/image"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/notify/outbox"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/rebuilder"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
)

// with opens what the flags name, and the storm's database.
func (r *rebuilding) with(cmd *cobra.Command, f func(context.Context, *runner.Runner) error) (err error) {
	ctx := cmd.Context()
	r.client = newRegistry(r.plainHTTP)
	r.closers = append(r.closers, func() error { r.client.Close(); return nil })
	defer func() {
		for _, closeIt := range slices.Backward(r.closers) {
			err = errors.Join(err, closeIt())
		}
	}()
	if r.catalog != "" {
		if r.cat, err = r.trust.load(ctx, r.catalog, r.eng.state, r.client); err != nil {
			return err
		}
		r.opts.Allowed = func(_ context.Context, name, digest string) (string, error) {
			return storm.Banned(r.cat, name, digest, time.Now())
		}
	}
	r.opts.Database, r.opts.Registry = r.storm, r.client
	if r.opts.Workers >= 0 {
		if err := r.equip(cmd); err != nil {
			return err
		}
	}
	storms, err := runner.Open(ctx, r.opts)
	if err != nil {
		return err
	}
	r.closers = append(r.closers, storms.Close)
	return f(ctx, storms)
}

// equip finds what images are built, tested and vouched for with.
func (r *rebuilding) equip(cmd *cobra.Command) error {
	ctx := cmd.Context()
	store, err := r.open(ctx)
	if err != nil {
		return err
	}
	r.opts.Lineage = store
	state, err := homes.StateDir(r.eng.state, "plimsoll")
	if err != nil {
		return err
	}
	box, err := r.tell.open(cmd, state)
	if err != nil {
		return err
	}
	if box != nil {
		r.opts.Notifier = box
		r.closers = append(r.closers, func() error { return errors.Join(r.send(cmd, box), box.Close()) })
	}
	evidence := attest.NewStore(r.client, attest.StoreOptions{Tags: r.evidence.tags})
	var keys attest.Keys
	if r.keys != "" {
		if keys, err = homes.LoadKeys(r.keys); err != nil {
			return err
		}
	}
	origin := &rebuilder.Origin{Source: evidence, Trust: keys, Builders: r.trusted, Now: time.Now}
	issued, err := r.evidence.load(cmd, r.client, "")
	if err != nil {
		return err
	}
	if issued != nil {
		r.opts.Evidence = &runner.Evidence{Signer: issued.Signer, Store: evidence, Trust: keys, Builder: r.evidence.id, Now: time.Now}
	}
	if r.service.address != "" {
		c, err := r.service.client()
		if err != nil {
			return err
		}
		r.opts.Engines = append(r.opts.Engines, runner.Engine{Name: r.service.address, Slots: r.opts.Workers, Rebuilder: &rebuilder.Service{Client: c, Origin: origin}})
	}
	if len(r.builders) == 0 && !r.test && len(r.suites) == 0 {
		return nil
	}
	return r.engines(ctx, state, origin, issued)
}

// engines opens the sandbox and the builders.
func (r *rebuilding) engines(ctx context.Context, state string, origin *rebuilder.Origin, evidence *pipeline.Evidence) error {
	sandbox, err := homes.NewSandbox(ctx, r.eng.sandbox, state)
	if err != nil {
		return err
	}
	r.closers = append(r.closers, sandbox.Close)
	if r.test || len(r.suites) > 0 {
		tester := &rebuilder.Tester{Registry: r.client, Sandbox: sandbox}
		if len(r.suites) > 0 {
			if tester.Required, err = image.Select(r.suites...); err != nil {
				return err
			}
		}
		r.opts.Tester = tester
	}
	if len(r.builders) > 0 && r.cat == nil {
		return errors.New("a builder needs the catalog, which says what images are built on: name it with --catalog")
	}
	for _, name := range r.builders {
		builder, err := homes.NewBuilder(ctx, name, state)
		if err != nil {
			return err
		}
		r.closers = append(r.closers, builder.Close)
		facts := homes.CatalogFacts(r.client)
		p := &rebuilder.Pipeline{Origin: origin, Delivery: pipeline.Delivery{
			Catalog: r.cat, Registry: r.client, Signatures: facts.Signatures, Packages: facts.Packages, Builder: builder, Sandbox: sandbox,
			Rules: rules.All(), Evidence: evidence, Lineage: r.opts.Lineage,
		}}
		p.Load.Compilers = homes.Compilers(r.cat)
		r.opts.Engines = append(r.opts.Engines, runner.Engine{Name: name, Rebuilder: p})
	}
	return nil
}

func (r *rebuilding) send(cmd *cobra.Command, box *outbox.Outbox) error {
	return sendWaiting(cmd, box, 30*time.Second)
}

// open opens the lineage index, which has to be there: an empty one would say that nothing is to be done.
func (r *rebuilding) open(ctx context.Context) (lineage.Store, error) {
	if !strings.Contains(r.lineage.store, "://") {
		if _, err := os.Stat(r.lineage.store); err != nil {
			return nil, err
		}
	}
	store, err := r.lineage.open(ctx)
	if err == nil {
		r.closers = append(r.closers, store.Close)
	}
	return store, err
}
