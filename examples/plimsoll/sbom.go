package main

import (
	"encoding/json"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/sbom"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

func newSBOM(out *output) *cobra.Command {
	var reg registries
	var sign signing
	var platform, format string
	cmd := &cobra.Command{
		Use:   "sbom IMAGE",
		Short: "List the software in an image as SPDX or CycloneDX, and with --key sign the list",
		Long: `List the software in an image: packages of dpkg, apk, rpm, Python, npm and Ruby, and what Go programs were built of.
Where BuildKit's scanner has put a list beside the image, SPDX is that one. With --key the lists of all platforms are signed
and stored with the image, and nothing is printed but what was done. ` + passphraseHelp,
		Example: `  plimsoll sbom registry.example/team/app:1.2.3 > app.spdx.json
  plimsoll sbom registry.example/team/app:1.2.3 --platform linux/arm64 --format cyclonedx
  plimsoll sbom registry.example/team/app:1.2.3 --key build-2027.key`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := reg.client()
			defer client.Close()
			store := attest.NewStore(client, attest.StoreOptions{})
			image, err := store.Image(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if sign.key == "" {
				_, document, err := packageList(cmd, client, image, platform, sbom.Format(format))
				if err != nil {
					return err
				}
				return console.JSON(cmd.OutOrStdout(), document)
			}
			return signLists(cmd, out, client, store, image, &sign, sbom.Format(format))
		},
	}
	reg.flags(cmd)
	sign.flags(cmd)
	cmd.Flags().StringVar(&platform, "platform", "linux/amd64", "the image's platform to list")
	cmd.Flags().StringVar(&format, "format", string(sbom.FormatSPDX), "spdx or cyclonedx")
	return cmd
}

// packageList is the list that is attached to an image, or one made of its layers.
func packageList(cmd *cobra.Command, client *registry.Client, image *attest.Image, platform string, format sbom.Format) (string, any, error) {
	img, err := client.Image(cmd.Context(), image.Reference(), platform)
	if err != nil {
		return "", nil, err
	}
	if len(image.Manifests) > 0 && format == sbom.FormatSPDX {
		kind, document, err := attachedList(cmd, client, image, img)
		if !errors.Is(err, sbom.ErrNone) {
			return kind, document, err
		}
	}
	return sbom.Attest(format, image.Repository, "")(cmd.Context(), platform, img)
}

func attachedList(cmd *cobra.Command, client *registry.Client, image *attest.Image, img v1.Image) (string, json.RawMessage, error) {
	index, err := client.Index(cmd.Context(), image.Reference())
	if err != nil {
		return "", nil, err
	}
	digest, err := img.Digest()
	if err != nil {
		return "", nil, err
	}
	return sbom.Attached(index, digest)
}

// signLists signs the lists of all platforms and stores them with the image.
func signLists(cmd *cobra.Command, out *output, client *registry.Client, store *attest.Store, image *attest.Image, sign *signing, format sbom.Format) error {
	key, err := sign.load(cmd)
	if err != nil {
		return err
	}
	platforms := image.Manifests
	if len(platforms) == 0 {
		platforms = []attest.Manifest{{Digest: image.Digest, Platform: "linux/amd64"}}
	}
	progress := out.progress(cmd)
	defer progress.Close()
	var bundles []*attest.Bundle
	done := []map[string]string{}
	for _, m := range platforms {
		kind, document, err := packageList(cmd, client, image, m.Platform, format)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Platform, err)
		}
		statement, err := attest.NewStatement(kind, document, attest.NewSubject(image.Repository, m.Digest))
		if err != nil {
			return err
		}
		bundle, err := statement.Sign(cmd.Context(), key)
		if err != nil {
			return err
		}
		bundles = append(bundles, bundle)
		done = append(done, map[string]string{"digest": m.Digest.String(), "platform": m.Platform, "predicateType": kind})
	}
	if err := store.Attach(cmd.Context(), image, bundles...); err != nil {
		return err
	}
	if out.json {
		return console.JSON(cmd.OutOrStdout(), done)
	}
	for _, d := range done {
		fmt.Fprintf(cmd.OutOrStdout(), "%s (%s): %s signed with %s\n", d["digest"], d["platform"], d["predicateType"], key)
	}
	return nil
}
