package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

// engines are the flags that name engines and their caches.
type engines struct {
	builder, sandbox, state string
}

func (e *engines) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&e.sandbox, "sandbox", "auto", homes.SandboxHelp)
	cmd.Flags().StringVar(&e.state, "state", "", "directory for caches (default: plimsoll in the user's cache directory)")
}

func (e *engines) stateDir() (string, error) {
	dir := e.state
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no directory for caches: %w; name one with --state", err)
		}
		dir = filepath.Join(cache, "plimsoll")
	}
	return dir, os.MkdirAll(dir, 0o700)
}

func newBuild(out *output) *cobra.Command {
	var src source
	var rep reporting
	var eng engines
	var catalogPath, layout, publish string
	var tags []string
	var network bool
	cmd := &cobra.Command{
		Use:   "build --catalog CATALOG",
		Short: "Deliver a definition: check, lint, build, test and, with --publish, publish it",
		Example: `  plimsoll build --catalog catalog.yaml --out image
  plimsoll build --catalog catalog.yaml --repo https://git.example/team/app.git --commit v1.2.3 \
      --publish registry.example/team/app --tag 1.2.3
  plimsoll build --catalog catalog.yaml --builder docker --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			order := pipeline.Order{
				Repository: src.repo, Ref: src.ref, Load: src.load, Platforms: src.platforms, Target: src.target, Args: src.args,
				Layout: layout, Publish: publish, Tags: tags,
			}
			if network {
				order.Network = build.NetworkHost
			}
			return deliver(cmd, out, &src, &rep, &eng, catalogPath, order)
		},
	}
	src.flags(cmd)
	rep.flags(cmd)
	eng.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&eng.builder, "builder", "embedded", homes.BuilderHelp)
	f.StringVar(&catalogPath, "catalog", "", "catalog file or directory")
	f.StringVarP(&layout, "out", "o", "image", "directory for the OCI layout; it must not exist or be empty")
	f.StringVar(&publish, "publish", "", "repository to publish to, such as registry.example/team/app")
	f.StringSliceVar(&tags, "tag", nil, "tags for the published image")
	f.BoolVar(&network, "network", false, "let RUN steps use the network")
	_ = cmd.MarkFlagRequired("catalog")
	return cmd
}

func deliver(cmd *cobra.Command, out *output, src *source, rep *reporting, eng *engines, catalogPath string, order pipeline.Order) (err error) {
	ctx := cmd.Context()
	cat, err := loadCatalog(catalogPath)
	if err != nil {
		return err
	}
	state, err := eng.stateDir()
	if err != nil {
		return err
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
	client := src.registry()
	defer client.Close()

	delivery := pipeline.Delivery{Catalog: cat, Registry: client, Builder: builder, Sandbox: runtime, Rules: rules.All()}
	if err := delivery.Gate.UnmarshalText([]byte(rep.gate)); err != nil {
		return err
	}
	progress := out.progress(cmd)
	delivered, failed := delivery.Run(ctx, pipeline.NewRun(pipeline.Options{Events: progress.Event}), order)
	progress.Close()
	return errors.Join(showDelivered(cmd, out, rep, delivered, failed), failed)
}

// showDelivered writes what was done, or the findings that stopped it.
func showDelivered(cmd *cobra.Command, out *output, rep *reporting, d *pipeline.Delivered, failed error) error {
	if out.json {
		return console.JSON(cmd.OutOrStdout(), d)
	}
	if d.Definition != nil {
		err := rep.write(cmd, out, d.Definition, d.Findings)
		if _, gate := errors.AsType[*finding.GateError](err); err != nil && !gate {
			return err
		}
	}
	if failed == nil && rep.format == "text" {
		return printDelivered(cmd.OutOrStdout(), d)
	}
	return nil
}

func printDelivered(w io.Writer, d *pipeline.Delivered) error {
	_, err := fmt.Fprintf(w, "%s\nlayout %s\n", d.Build.Digest, d.Build.Layout)
	if err == nil && d.Reference != "" {
		_, err = fmt.Fprintf(w, "published %s\n", d.Reference)
	}
	return err
}
