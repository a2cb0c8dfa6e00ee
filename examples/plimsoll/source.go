package main

import (
	"context"
	"maps"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/inputs"
	defsource "github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// source is the definition that a subcommand works on.
type source struct {
	repo, ref string
	load      defsource.Options
	platforms []string
	args      map[string]string
	target    string
	plainHTTP []string
	catalog   string
	trust     trust
}

func (s *source) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.repo, "repo", ".", "git repository, a path or a URL")
	f.StringVar(&s.ref, "commit", "", "commit, branch or tag (default: HEAD)")
	f.StringVar(&s.load.Dir, "dir", "", "directory of the definition in the repository (default: its root)")
	f.StringVarP(&s.load.Dockerfile, "file", "f", "", "the definition's file: a Dockerfile, a bake or Compose file, or one that names a template (default: Dockerfile, else plimsoll.yaml, docker-bake.hcl, compose.yaml or their like)")
	f.StringVar(&s.load.Dockerfile, "dockerfile", "", "the same as --file")
	_ = f.MarkHidden("dockerfile")
	f.BoolVar(&s.load.AllowDirty, "dirty", false, "read the work tree as it is, uncommitted changes and all")
	s.buildFlags(cmd)
}

func (s *source) buildFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&s.platforms, "platform", nil, "target platforms, such as linux/amd64,linux/arm64 (default: this machine's)")
	f.StringToStringVar(&s.args, "build-arg", nil, "build arguments, NAME=VALUE")
	f.StringVar(&s.target, "target", "", "stage to build (default: the last one); of a file that describes several images, the image, group or pattern")
	plainHTTPFlag(cmd, &s.plainHTTP)
}

func plainHTTPFlag(cmd *cobra.Command, hosts *[]string) {
	cmd.Flags().StringSliceVar(hosts, "plain-http", nil, "registries that may be spoken to without TLS, HOST[:PORT]")
}

// definitions reads one definition for each image that the file describes. The catalog has the templates; nil means none.
func (s *source) definitions(ctx context.Context, cat *catalog.Catalog) ([]*definition.Definition, error) {
	return defsource.LoadAll(ctx, s.repo, s.ref, s.options(cat))
}

func (s *source) options(cat *catalog.Catalog) defsource.Options {
	opts := s.load
	opts.Compilers = homes.Compilers(cat)
	if s.target != "" {
		opts.Targets = []string{s.target}
	}
	return opts
}

// catalogFlag names a catalog where only its templates matter.
func (s *source) catalogFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.catalog, "catalog", "", homes.CatalogHelp+", for the templates that a definition names and for what comments may suppress")
	s.trust.flags(cmd)
}

// templates reads the catalog that the flag names, if any.
func (s *source) templates(ctx context.Context) (*catalog.Catalog, error) {
	if s.catalog == "" {
		return nil, nil
	}
	client := s.registry()
	defer client.Close()
	return s.trust.load(ctx, s.catalog, "", client)
}

// registry is a client with the credentials of the Docker configuration.
func (s *source) registry() *registry.Client { return newRegistry(s.plainHTTP) }

func newRegistry(plainHTTP []string) *registry.Client {
	insecure := map[string]bool{}
	for _, host := range plainHTTP {
		insecure[host] = true
	}
	return registry.New(registry.Options{
		Keychain: authn.DefaultKeychain,
		Insecure: func(host string) bool { return insecure[host] },
	})
}

func (s *source) inputs(ctx context.Context, def *definition.Definition, client *registry.Client) ([]catalog.Input, error) {
	opts := inputs.Options{Platforms: s.platforms, Args: s.args, Target: s.target, Resolver: client}
	if b := def.Build; b.Target != "" {
		opts.Target, opts.Contexts = b.Stage, b.Contexts
		if len(opts.Platforms) == 0 {
			opts.Platforms = b.Platforms
		}
		opts.Args = maps.Clone(b.Args)
		maps.Copy(opts.Args, s.args)
	}
	return inputs.List(ctx, def, opts)
}
