package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/features/image"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// test is what to test, and with what.
type test struct {
	image   string
	paths   []string // of features
	suites  []string // ready-made ones
	options blackbox.Options
	sandbox engines
	source  source
	reports verdictReports
}

func newTest(out *output) *cobra.Command {
	t := &test{}
	cmd := &cobra.Command{
		Use:   "test --image IMAGE [FEATURES...]",
		Short: "Test an image with features in Gherkin",
		Long: `Test an image from outside, with features that need no Go. IMAGE is a reference in a registry, or "oci:DIR" for an
OCI layout. Every platform of an index is tested where it can run; the others are named.

FEATURES are files, directories, or FILE:LINE for one scenario. The default is "features", unless there is a --suite.
Ready-made suites are ` + strings.Join(image.Names(), ", ") + `.

The Docker daemon is that of DOCKER_HOST, with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH for one behind TLS. Features that only
look at files, packages and configuration need none.`,
		Example: `  plimsoll test --image registry.example/team/app:1.2.3 features
  plimsoll test --image registry.example/team/app:1.2.3 --suite hardening,hygiene --tags "not @setuid"
  plimsoll test --image oci:image features/app.feature:12 --param port=8080
  plimsoll test --image oci:image --report junit=tests.xml --report html=tests.html
  DOCKER_HOST=ssh://ci@docker.example plimsoll test --image registry.example/team/app:1.2.3 --sandbox docker`,
		RunE: func(cmd *cobra.Command, args []string) error {
			t.paths = args
			return t.run(cmd, out)
		},
	}
	f := cmd.Flags()
	f.StringVar(&t.image, "image", "", "image under test (required)")
	f.StringSliceVar(&t.suites, "suite", nil, "ready-made suites: "+strings.Join(image.Names(), ", "))
	f.StringVar(&t.options.Tags, "tags", "", `scenarios to run, a tag expression such as "@smoke and not @slow"`)
	f.StringToStringVar(&t.options.Params, "param", nil, "what ${NAME} in features stands for, NAME=VALUE")
	f.StringSliceVar(&t.options.Platforms, "platform", nil, "platforms of the index to test (default: all)")
	f.StringSliceVar(&t.source.plainHTTP, "plain-http", nil, "registries that may be spoken to without TLS, HOST[:PORT]")
	t.reports.flags(cmd)
	t.sandbox.flags(cmd)
	if err := cmd.MarkFlagRequired("image"); err != nil {
		panic(err) // the flag is there
	}
	return cmd
}

func (t *test) run(cmd *cobra.Command, out *output) (err error) {
	if err := t.reports.check(); err != nil {
		return err
	}
	suite := &blackbox.Suite{Options: t.options}
	if suite.Features, suite.Paths, err = findFeatures(t.paths, t.suites); err != nil {
		return err
	}
	client := t.source.registry()
	defer client.Close()
	suite.Options.Images = client.Image
	runtime, err := t.find(cmd.Context(), client, suite)
	if runtime != nil {
		defer func() { err = errors.Join(err, runtime.Close()) }()
	}
	if err != nil {
		return err
	}
	progress := out.progress(cmd)
	var verdict *blackbox.Verdict
	run := pipeline.NewRun(pipeline.Options{Events: progress.Event})
	last := time.Now()
	suite.Options.Done = func(s blackbox.ScenarioResult, ended, all int) {
		if now := time.Now(); now.Sub(last) >= time.Second {
			last = now
			run.Progress("test", fmt.Sprintf("%d of %d scenarios, last %q", ended, all, s.Name))
		}
	}
	verdict, err = pipeline.Do(cmd.Context(), run, "test", suite.Run)
	progress.Close()
	if err != nil && (verdict == nil || len(verdict.Platforms) == 0) {
		return err
	}
	// What was found until the error is told as well.
	return errors.Join(t.reports.write(cmd, out, verdict), verdict.Err(), err)
}

// find gets the image, and meanwhile a sandbox if the features need one.
func (t *test) find(ctx context.Context, client *registry.Client, suite *blackbox.Suite) (runtime homes.Sandbox, err error) {
	needs, err := suite.NeedsRuntime()
	if err != nil {
		return nil, err
	}
	var both errgroup.Group
	if needs {
		both.Go(func() error {
			state, err := homes.StateDir(t.sandbox.state, "plimsoll")
			if err != nil {
				return err
			}
			runtime, err = homes.NewSandbox(ctx, t.sandbox.sandbox, state)
			return err
		})
	}
	both.Go(func() (err error) {
		if dir, ok := strings.CutPrefix(t.image, "oci:"); ok {
			suite.Index, err = registry.LoadLayout(dir)
			return err
		}
		suite.Reference = t.image
		suite.Index, suite.Image, err = pull(ctx, client, t.image)
		return err
	})
	err = both.Wait()
	if runtime != nil {
		suite.Runtime = runtime
	}
	return runtime, err
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
