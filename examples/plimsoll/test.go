package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/results"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

func newTest(out *output) *cobra.Command {
	var src source
	var eng engines
	var features, tags, format string
	cmd := &cobra.Command{
		Use:   "test IMAGE",
		Short: "Test an image with features in Gherkin",
		Long: `Test an image from outside, with features that need no Go. IMAGE is a reference in a registry, or "oci:DIR" for an
OCI layout. Every platform of an index is tested where it can run; the others are named.`,
		Example: `  plimsoll test registry.example/team/app:1.2.3 --features features
  plimsoll test oci:image --features features --format junit > tests.xml
  plimsoll test registry.example/team/app@sha256:... --features hardening.feature --sandbox docker`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if _, ok := results.Formats()[format]; !ok {
				return fmt.Errorf("result format %q is not one of %s", format, strings.Join(formats(), ", "))
			}
			state, err := homes.StateDir(eng.state, "plimsoll")
			if err != nil {
				return err
			}
			runtime, err := homes.NewSandbox(cmd.Context(), eng.sandbox, state)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, runtime.Close()) }()
			client := src.registry()
			defer client.Close()
			suite, err := newSuite(cmd.Context(), client, args[0], features)
			if err != nil {
				return err
			}
			suite.Runtime = runtime
			suite.Options = blackbox.Options{Platforms: src.platforms, Tags: tags, Images: client.Image}
			verdict, err := suite.Run(cmd.Context())
			if err != nil {
				return err
			}
			return errors.Join(writeVerdict(cmd, out, format, verdict), verdict.Err())
		},
	}
	cmd.AddCommand(newSteps(out))
	f := cmd.Flags()
	eng.flags(cmd)
	f.StringVar(&features, "features", "features", "feature file, or a directory of them")
	f.StringVar(&tags, "tags", "", `scenarios to run, a tag expression such as "@smoke and not @slow"`)
	f.StringVar(&format, "format", "pretty", "format of the results: "+strings.Join(formats(), ", "))
	f.StringSliceVar(&src.platforms, "platform", nil, "platforms of the index to test (default: all)")
	f.StringSliceVar(&src.plainHTTP, "plain-http", nil, "registries that may be spoken to without TLS, HOST[:PORT]")
	return cmd
}

// newSuite finds the image and the features.
func newSuite(ctx context.Context, client *registry.Client, image, features string) (*blackbox.Suite, error) {
	suite := &blackbox.Suite{Reference: image}
	var err error
	if dir, ok := strings.CutPrefix(image, "oci:"); ok {
		suite.Reference = ""
		suite.Index, err = registry.LoadLayout(dir)
	} else {
		suite.Index, suite.Image, err = pull(ctx, client, image)
	}
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(features)
	if err != nil {
		return nil, err
	}
	suite.Features = os.DirFS(features)
	if !info.IsDir() {
		dir, file := filepath.Split(features)
		suite.Features, suite.Paths = os.DirFS(filepath.Clean(dir)), []string{file}
	}
	return suite, nil
}

// pull gets an index, or a single image.
func pull(ctx context.Context, client *registry.Client, ref string) (v1.ImageIndex, v1.Image, error) {
	desc, err := client.Head(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	if desc.MediaType.IsIndex() {
		index, err := client.Index(ctx, ref)
		return index, nil, err
	}
	image, err := client.Image(ctx, ref, "")
	return nil, image, err
}

func formats() []string { return slices.Sorted(maps.Keys(results.Formats())) }

// writeVerdict writes the results in the format asked for.
func writeVerdict(cmd *cobra.Command, out *output, format string, verdict *blackbox.Verdict) error {
	w := cmd.OutOrStdout()
	switch {
	case out.json:
		return console.JSON(w, verdict)
	case format == "pretty":
		return results.Pretty(w, verdict, results.Options{Color: bool(console.StyleFor(w))})
	default:
		return results.Formats()[format](w, verdict)
	}
}
