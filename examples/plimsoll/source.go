package main

import (
	"context"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/spf13/cobra"

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
}

func (s *source) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.repo, "repo", ".", "git repository, a path or a URL")
	f.StringVar(&s.ref, "commit", "", "commit, branch or tag (default: HEAD)")
	f.StringVar(&s.load.Dir, "dir", "", "directory of the definition in the repository (default: its root)")
	f.StringVarP(&s.load.Dockerfile, "dockerfile", "f", "", "the definition's file (default: Dockerfile)")
	f.BoolVar(&s.load.AllowDirty, "dirty", false, "read the work tree as it is, uncommitted changes and all")
	s.buildFlags(cmd)
}

func (s *source) buildFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&s.platforms, "platform", nil, "target platforms, such as linux/amd64,linux/arm64 (default: this machine's)")
	f.StringToStringVar(&s.args, "build-arg", nil, "build arguments, NAME=VALUE")
	f.StringVar(&s.target, "target", "", "stage to build (default: the last one)")
	plainHTTPFlag(cmd, &s.plainHTTP)
}

func plainHTTPFlag(cmd *cobra.Command, hosts *[]string) {
	cmd.Flags().StringSliceVar(hosts, "plain-http", nil, "registries that may be spoken to without TLS, HOST[:PORT]")
}

func (s *source) definition(ctx context.Context) (*definition.Definition, error) {
	return defsource.Load(ctx, s.repo, s.ref, s.load)
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
	return inputs.List(ctx, def, inputs.Options{
		Platforms: s.platforms, Args: s.args, Target: s.target, Resolver: client,
	})
}
