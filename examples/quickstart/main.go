// Command quickstart shows the whole idea: a git commit becomes a tested image, published by digest, on a base that Ops
// has approved; and a definition that hides a base which nobody approved is refused.
//
// Without flags it brings everything with it: a registry on loopback, base images that it makes itself, the source of a
// small service and a catalog. With flags the same program runs on a repository, catalog and registry of your own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
)

// options are the flags.
type options struct {
	repo, commit, dir, dockerfile string
	catalog, catalogKey, registry string
	builder, sandbox, state, out  string
	listen                        string
	args                          map[string]string
	platforms                     []string
	serve, quiet, json, network   bool
}

func main() {
	log.SetOutput(io.Discard)      // libraries that log there have nothing to say to a user
	signal.Ignore(syscall.SIGPIPE) // a reader that went away is an error like any other: clean up, then end
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	cmd := newCommand()
	err := cmd.ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, console.StyleFor(os.Stderr).Bad("quickstart:"), console.Clean(err.Error()))
	if errors.Is(err, errOutcome) {
		os.Exit(1)
	}
	os.Exit(console.ExitCode(err))
}

func newCommand() *cobra.Command {
	o := options{}
	cmd := &cobra.Command{
		Use:   "quickstart",
		Short: "From a git commit to a tested image, published by digest",
		Long: `Deliver a container definition: checkout, inputs, bases, lint, build, black-box test, publish.

Without flags it brings everything with it: a registry on loopback, base images that it makes itself, a small HTTP
service with its Dockerfile, and a catalog that moves the service to a newer base. It then shows how a definition is
refused that hides a base which is not in the catalog.

With --repo it delivers a definition of your own: --catalog is then required, --registry is where to publish to.

Exit codes: 0 all went as it should, 1 it did not, 2 it could not work.`,
		Example: `  # everything on this machine, nothing needed but Go
  quickstart

  # the same, and keep the registry up to pull from
  quickstart --serve

  # your own repository at a tag, your catalog, your registry (credentials from the Docker configuration)
  quickstart --repo https://git.example/team/app.git --commit v1.2.3 \
      --catalog catalog.yaml --registry registry.example/team/app

  # a definition in a sub-directory, built by Docker, not published
  quickstart --repo . --dir services/pay --catalog catalog.yaml --builder docker`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return run(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.repo, "repo", "", "git repository to deliver from, a path or a URL (default: the service it brings with it)")
	f.StringVar(&o.commit, "commit", "", "commit, branch or tag (default: HEAD)")
	f.StringVar(&o.dir, "dir", "", "directory of the definition in the repository (default: its root)")
	f.StringVar(&o.dockerfile, "dockerfile", "", "the definition's file (default: Dockerfile)")
	f.StringVar(&o.catalog, "catalog", "", homes.CatalogHelp+" (default: the one it brings with it)")
	f.StringVar(&o.catalogKey, "catalog-key", "", "public keys that sign a catalog in a registry; required for a tag")
	f.StringVar(&o.registry, "registry", "", "repository to publish to, such as registry.example/team/app (default: one on loopback; with --repo: not published)")
	f.StringVar(&o.builder, "builder", "embedded", homes.BuilderHelp)
	f.StringVar(&o.sandbox, "sandbox", "auto", homes.SandboxHelp)
	f.StringToStringVar(&o.args, "build-arg", nil, "build arguments, NAME=VALUE")
	f.StringSliceVar(&o.platforms, "platform", nil, "platforms to build for, such as linux/amd64 (default: the builder's own)")
	f.BoolVar(&o.network, "network", false, "let RUN steps use the network")
	f.StringVar(&o.state, "state", "", "directory for caches (default: plimsoll/quickstart in the user's cache directory)")
	f.StringVar(&o.out, "out", "", "directory for the OCI layout (default: layout below --state, replaced each time)")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "loopback address of the registry that it brings with it")
	f.BoolVar(&o.serve, "serve", false, "keep the registry up afterwards, until Ctrl-C")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "show no progress")
	f.BoolVar(&o.json, "json", false, "print what was done as one JSON document")
	cmd.MarkFlagsMutuallyExclusive("registry", "serve")
	cmd.MarkFlagsMutuallyExclusive("repo", "serve")
	return cmd
}
