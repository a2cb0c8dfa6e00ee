package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

func newSweep() *cobra.Command {
	var keys, tag string
	var also []string
	cmd := &cobra.Command{
		Use:   "sweep CONFIG --keys KEYS",
		Short: "Find images in the registry that this service did not make",
		Long: `Find images in the registry that this service did not make: those whose provenance is missing, signed by nobody trusted,
or names another builder or source. The repositories are those that the projects publish to, and those of --repository.
With --tag each such image gets a tag of that beginning, so that a registry's own rules can find it.`,
		Example: "  buildservice sweep /etc/plimsoll/buildservice.yaml --keys keys.yaml --repository registry.example/pay/api",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(args[0])
			if err != nil {
				return err
			}
			src, err := os.ReadFile(keys)
			if err != nil {
				return err
			}
			trusted, err := attest.LoadKeys(keys, src)
			if err != nil {
				return err
			}
			if cfg.Registry.DockerConfig != "" {
				if err := os.Setenv("DOCKER_CONFIG", cfg.Registry.DockerConfig); err != nil {
					return err
				}
			}
			if cfg.Evidence.Builder == "" {
				return errors.New("the configuration has no evidence.builder, so no image can be told to be this service's")
			}
			client := registry.New(registry.Options{Keychain: authn.DefaultKeychain})
			defer client.Close()
			orphans, err := buildservice.Orphans(cmd.Context(), client, attest.NewStore(client, attest.StoreOptions{}), cfg.repositories(also), attest.Policy{
				Trust: trusted, At: time.Now(), Builders: []string{cfg.Evidence.Builder}, UnsafeAnySource: true, UnsafeUnlinted: true, UnsafeUntested: true,
			}, tag)
			if err != nil {
				return err
			}
			for _, f := range orphans {
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), console.Clean(f.String())); err != nil {
					return err
				}
			}
			return finding.Gate(orphans, finding.Error)
		},
	}
	cmd.Flags().StringVar(&keys, "keys", "", "trusted public keys: a PEM file, or a list in YAML")
	cmd.Flags().StringVar(&tag, "tag", "", "beginning of a tag for each image that is found, such as orphan")
	cmd.Flags().StringArrayVar(&also, "repository", nil, "repository to look at; may be repeated")
	_ = cmd.MarkFlagRequired("keys")
	return cmd
}

// repositories are where the projects publish, so far as that does not depend on a request.
func (cfg *config) repositories(also []string) []string {
	all := slices.Clone(also)
	for _, p := range cfg.Projects {
		if !strings.Contains(p.Publish, "{") {
			all = append(all, p.Publish)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
