package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// registries are the flags of what speaks to registries.
type registries struct{ plainHTTP []string }

func (r *registries) flags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&r.plainHTTP, "plain-http", nil, "registries that may be spoken to without TLS, HOST[:PORT]")
}

func (r *registries) client() *registry.Client {
	s := source{plainHTTP: r.plainHTTP}
	return s.registry()
}

func newAttest(out *output) *cobra.Command {
	cmd := &cobra.Command{Use: "attest", Short: "Sign statements about images, and list what was signed"}
	cmd.AddCommand(newAttestAdd(out), newAttestList(out))
	return cmd
}

// predicateTypes are the short names of --type.
var predicateTypes = map[string]string{
	"provenance": provenance.Type, "lint": attest.LintResultType, "test": attest.TestResultType,
	"vulns": attest.VulnerabilitiesType, "spdx": attest.SPDXType, "cyclonedx": attest.CycloneDXType,
}

func newAttestAdd(out *output) *cobra.Command {
	var reg registries
	var sign signing
	var kind, predicate string
	var tags bool
	cmd := &cobra.Command{
		Use:   "add IMAGE --key KEY --type TYPE --predicate FILE",
		Short: "Sign a predicate about an image, such as the report of a scanner, and store it with the image",
		Long: `Sign a predicate (JSON) about an image, its index and each platform in it, and store it in the registry as a sigstore
bundle, where "plimsoll verify" and "cosign verify-attestation" find it. TYPE is a URI, or one of provenance, lint, test,
vulns, spdx, cyclonedx. ` + passphraseHelp,
		Example: `  plimsoll attest add registry.example/team/app:1.2.3 --key scanner.key --type vulns --predicate scan.json
  plimsoll attest add registry.example/team/app:1.2.3 --key ops.key --type https://example.com/approval/v1 --predicate -`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := sign.load(cmd)
			if err != nil {
				return err
			}
			var raw []byte
			if predicate == "-" {
				raw, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), attest.MaxBundleBytes))
			} else {
				raw, err = os.ReadFile(predicate)
			}
			if err != nil {
				return err
			}
			if !json.Valid(raw) {
				return fmt.Errorf("%s is not JSON", predicate)
			}
			if known, ok := predicateTypes[kind]; ok {
				kind = known
			}
			client := reg.client()
			defer client.Close()
			store := attest.NewStore(client, attest.StoreOptions{Tags: tags})
			image, err := store.Image(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			var subjects []attest.Subject
			for _, digest := range image.Digests() {
				subjects = append(subjects, attest.NewSubject(image.Repository, digest))
			}
			statement, err := attest.NewStatement(kind, json.RawMessage(raw), subjects...)
			if err != nil {
				return err
			}
			bundle, err := statement.Sign(cmd.Context(), key)
			if err != nil {
				return err
			}
			if err := store.Attach(cmd.Context(), image, bundle); err != nil {
				return err
			}
			done := map[string]string{"reference": image.Reference(), "predicateType": kind, "key": key.Public().ID()}
			return out.answer(cmd, done, func(w io.Writer, _ console.Style) error {
				_, err := fmt.Fprintf(w, "%s: %s signed with %s\n", image.Reference(), kind, key)
				return err
			})
		},
	}
	reg.flags(cmd)
	sign.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&kind, "type", "", "type of the predicate: a URI, or a short name")
	f.StringVar(&predicate, "predicate", "", "file with the predicate, - for standard input")
	f.BoolVar(&tags, "old-tags", false, "also store it under the tag sha256-DIGEST.att, for cosign before version 3")
	for _, name := range []string{"key", "type", "predicate"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}

// listed is one statement as "attest list" shows it.
type listed struct {
	Digest        string           `json:"digest"`
	PredicateType string           `json:"predicateType"`
	By            *attest.Identity `json:"by,omitempty"`
	Problem       string           `json:"problem,omitempty"`
	Predicate     json.RawMessage  `json:"predicate,omitempty"`
}

func newAttestList(out *output) *cobra.Command {
	var reg registries
	var keys string
	var kinds []string
	cmd := &cobra.Command{
		Use:   "list IMAGE",
		Short: "List the statements about an image, and who signed them",
		Long: `List the statements about an image. With --keys it says of each who signed it; without, nothing that it shows has been
checked. --json has the predicates too.`,
		Example: `  plimsoll attest list registry.example/team/app:1.2.3 --keys keys.yaml
  plimsoll attest list registry.example/team/app:1.2.3 --type provenance --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var trust attest.Keys
			if keys != "" {
				var err error
				if trust, err = loadKeys(keys); err != nil {
					return err
				}
			}
			var types []string
			for _, kind := range kinds {
				if known, ok := predicateTypes[kind]; ok {
					kind = known
				}
				types = append(types, kind)
			}
			if len(types) == 0 {
				for _, known := range predicateTypes {
					types = append(types, known)
				}
			}
			client := reg.client()
			defer client.Close()
			store := attest.NewStore(client, attest.StoreOptions{})
			image, err := store.Image(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			bundles, err := store.Bundles(cmd.Context(), image, types)
			if err != nil {
				return err
			}
			list := []listed{}
			for _, b := range bundles {
				list = append(list, describe(cmd, b, image, trust, keys != "")...)
			}
			return out.answer(cmd, list, func(w io.Writer, style console.Style) error {
				for _, l := range list {
					switch {
					case l.By != nil:
						fmt.Fprintf(w, "%s %s %s\n", l.Digest, l.PredicateType, style.Good(l.By.String()))
					case l.Problem != "":
						fmt.Fprintf(w, "%s %s %s\n", l.Digest, l.PredicateType, style.Bad(l.Problem))
					default:
						fmt.Fprintf(w, "%s %s (not checked)\n", l.Digest, l.PredicateType)
					}
				}
				return nil
			})
		},
	}
	reg.flags(cmd)
	cmd.Flags().StringVar(&keys, "keys", "", "trusted keys: a public key in PEM, or a list in YAML")
	cmd.Flags().StringSliceVar(&kinds, "type", nil, "types to list: URIs or short names (default: all that have a short name)")
	return cmd
}

// describe is a line for each of the image's digests that a bundle is about.
func describe(cmd *cobra.Command, b *attest.Bundle, image *attest.Image, trust attest.Keys, check bool) []listed {
	statement, err := b.UnverifiedStatement()
	if err != nil {
		return nil
	}
	var by *attest.Identity
	problem := ""
	if check {
		identity, err := trust.Verify(cmd.Context(), b, time.Now())
		switch {
		case errors.Is(err, attest.ErrUntrusted):
			problem = err.Error()
		case err == nil:
			by = &identity
		}
	}
	var list []listed
	for _, digest := range image.Digests() {
		if statement.About(digest) {
			list = append(list, listed{Digest: digest.String(), PredicateType: statement.PredicateType, By: by, Problem: problem, Predicate: statement.Predicate})
		}
	}
	return list
}
