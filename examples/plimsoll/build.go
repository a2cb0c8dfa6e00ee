package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/sbom"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/report"
)

// engines are the flags that name engines and their caches.
type engines struct {
	builder, sandbox, state string
}

func (e *engines) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&e.sandbox, "sandbox", "auto", homes.SandboxHelp)
	cmd.Flags().StringVar(&e.state, "state", "", "directory for caches (default: plimsoll in the user's cache directory)")
}

func newBuild(out *output) *cobra.Command {
	var src source
	var rep reporting
	var eng engines
	var evidence evidenceFlags
	var from trust
	var tell telling
	var catalogPath, layout, publish string
	var tags []string
	var network bool
	cmd := &cobra.Command{
		Use:   "build --catalog CATALOG",
		Short: "Deliver a definition: check, lint, build, test and, with --publish, publish it",
		Example: `  plimsoll build --catalog catalog.yaml --out image
  plimsoll build --catalog catalog.yaml --repo https://git.example/team/app.git --commit v1.2.3 \
      --publish registry.example/team/app --tag 1.2.3 --key build-2027.key --builder-id https://build.example/plimsoll
  plimsoll build --catalog catalog.yaml --file docker-bake.hcl --target 'api*' --out images
  plimsoll build --catalog catalog.yaml --builder docker --json
  plimsoll build --catalog catalog.yaml --notify notify.yaml --secrets secrets   # teams are told of moved bases`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			order := pipeline.Order{
				Repository: src.repo, Ref: src.ref, Load: src.load, Platforms: src.platforms, Target: src.target, Args: src.args,
				Layout: layout, Publish: publish, Tags: tags,
			}
			if network {
				order.Network = build.NetworkHost
			}
			return deliver(cmd, out, &src, &rep, &eng, &evidence, &from, &tell, catalogPath, order)
		},
	}
	src.flags(cmd)
	rep.flags(cmd)
	eng.flags(cmd)
	evidence.flags(cmd)
	from.flags(cmd)
	tell.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&eng.builder, "builder", "embedded", homes.BuilderHelp)
	f.StringVar(&catalogPath, "catalog", "", homes.CatalogHelp)
	f.StringVarP(&layout, "out", "o", "", "directory for the OCI layout, which must not exist or be empty (default: none is kept)")
	f.StringVar(&publish, "publish", "", "repository to publish to, such as registry.example/team/app")
	f.StringSliceVar(&tags, "tag", nil, "tags for the published image")
	f.BoolVar(&network, "network", false, "let RUN steps use the network")
	_ = cmd.MarkFlagRequired("catalog")
	return cmd
}

func deliver(cmd *cobra.Command, out *output, src *source, rep *reporting, eng *engines, evidence *evidenceFlags, from *trust, tell *telling, catalogPath string, order pipeline.Order) (err error) {
	ctx := cmd.Context()
	if _, err := report.ByName(rep.format); err != nil {
		return err
	}
	client := src.registry()
	defer client.Close()
	cat, err := from.load(ctx, catalogPath, eng.state, client)
	if err != nil {
		return err
	}
	state, err := homes.StateDir(eng.state, "plimsoll")
	if err != nil {
		return err
	}
	if order.Layout == "" {
		var dir *homes.RunDir
		if dir, err = homes.NewRunDir(state); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, dir.Close()) }()
		order.Layout = filepath.Join(dir.Path, "layout")
	}
	builder, err := homes.NewBuilder(ctx, eng.builder, state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, builder.Close()) }()
	runtime, err := homes.NewSandbox(ctx, eng.sandbox, state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, runtime.Close()) }()

	facts := homes.CatalogFacts(client)
	delivery := pipeline.Delivery{
		Catalog: cat, Registry: client, Signatures: facts.Signatures, Packages: facts.Packages, Builder: builder, Sandbox: runtime, Rules: rules.All(),
	}
	if err := delivery.Gate.UnmarshalText([]byte(rep.gate)); err != nil {
		return err
	}
	if delivery.Evidence, err = evidence.load(cmd, client, order.Publish); err != nil {
		return err
	}
	box, err := tell.open(cmd, state)
	if err != nil {
		return err
	}
	if box != nil {
		delivery.Notifier = box
		defer func() { err = errors.Join(err, sendWaiting(cmd, box, 10*time.Second), box.Close()) }()
	}
	order.Load = src.options(cat)
	orders, err := pipeline.Orders(ctx, order)
	if err != nil {
		return err
	}
	return deliverAll(cmd, out, rep, &delivery, orders)
}

// deliverAll delivers the images of a definition one after the other; one that fails does not keep the others from it.
func deliverAll(cmd *cobra.Command, out *output, rep *reporting, delivery *pipeline.Delivery, orders []pipeline.Order) error {
	kept := cmd.Flags().Changed("out")
	var all []*pipeline.Delivered
	var errs []error
	for _, order := range orders {
		progress := out.progress(cmd)
		delivered, failed := delivery.Run(cmd.Context(), pipeline.NewRun(pipeline.Options{Events: progress.Event}), order)
		progress.Close()
		if len(orders) > 1 && failed != nil {
			failed = fmt.Errorf("%s: %w", strings.Join(order.Load.Targets, ", "), failed)
		}
		all = append(all, delivered)
		errs = append(errs, failed)
		if !out.json || len(orders) == 1 {
			errs = append(errs, showDelivered(cmd, out, rep, delivered, failed, kept))
		}
		if cmd.Context().Err() != nil {
			break
		}
	}
	if out.json && len(orders) > 1 {
		errs = append(errs, console.JSON(cmd.OutOrStdout(), all))
	}
	return errors.Join(errs...)
}

// showDelivered writes what was done, or the findings that stopped it.
func showDelivered(cmd *cobra.Command, out *output, rep *reporting, d *pipeline.Delivered, failed error, kept bool) error {
	if d.Build != nil && !kept {
		d.Build.Layout = "" // it is removed with the run
	}
	if out.json {
		return console.JSON(cmd.OutOrStdout(), d)
	}
	judged := slices.ContainsFunc(d.Records, func(r pipeline.Record) bool { return r.Stage == "lint" })
	if judged { // without an answer there is no report: an empty one would look like a clean one
		err := rep.write(cmd, out, d.Definition, d.Findings)
		if _, gate := errors.AsType[*finding.GateError](err); err != nil && !gate {
			return err
		}
	}
	if failed == nil && rep.format == "text" {
		return printDelivered(cmd.OutOrStdout(), d, kept)
	}
	return nil
}

func printDelivered(w io.Writer, d *pipeline.Delivered, kept bool) error {
	lines := []string{d.Build.Digest.String()}
	if kept {
		lines = append(lines, "layout "+d.Build.Layout)
	}
	if d.Verdict == nil {
		lines = append(lines, "not tested: the definition has no features")
	}
	if d.Reference != "" {
		lines = append(lines, "published "+d.Reference)
		if d.Unsigned {
			lines = append(lines, "unsigned: without --key there is no evidence")
		}
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// evidenceFlags say whether a delivery leaves evidence.
type evidenceFlags struct {
	signing
	id, sbom string
	tags     bool
}

func (e *evidenceFlags) flags(cmd *cobra.Command) {
	e.signing.flags(cmd)
	cmd.Flags().StringVar(&e.id, "builder-id", "", "URI that stands for this builder in the provenance; --key needs it")
	cmd.Flags().BoolVar(&e.tags, "old-tags", false, "also store the evidence under tags, for cosign before version 3")
	cmd.Flags().StringVar(&e.sbom, "sbom", "", "also sign a list of the image's software: spdx or cyclonedx")
	cmd.MarkFlagsRequiredTogether("key", "builder-id")
}

func (e *evidenceFlags) load(cmd *cobra.Command, client *registry.Client, repository string) (*pipeline.Evidence, error) {
	if e.key == "" {
		return nil, nil
	}
	key, err := e.signing.load(cmd)
	if err != nil {
		return nil, err
	}
	evidence := &pipeline.Evidence{
		Signer: key, Store: attest.NewStore(client, attest.StoreOptions{Tags: e.tags}), Builder: e.id,
	}
	if e.sbom != "" {
		evidence.Packages = sbom.Attest(sbom.Format(e.sbom), repository, "")
	}
	return evidence, nil
}
