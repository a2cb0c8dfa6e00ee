package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/internal/nodecmd"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/compile"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/distribution"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/keys"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/sqlite"
)

func newBundle(out *output) *cobra.Command {
	cmd := &cobra.Command{Use: "bundle", Short: "Make, publish and look at deny bundles, by which gates decide"}
	cmd.AddCommand(newBundleMake(out), newBundlePush(out), newBundlePull(out), newBundleShow(out))
	return cmd
}

func newBundleMake(out *output) *cobra.Command {
	var sign signing
	var cat, store, name, file, follow string
	var valid time.Duration
	var version uint64
	var opts compile.Options
	cmd := &cobra.Command{
		Use:   "make --catalog CATALOG --lineage FILE --name STREAM --key KEY",
		Short: "Compile the bans of a catalog and what lineage knows into a signed deny bundle",
		Long: `Compile the bans of a catalog, and all images that lineage knows to stand on what they name, into a deny bundle, and sign
it. Gates take no lower version than they have seen; the default is the time in seconds. ` + passphraseHelp,
		Example: `  plimsoll bundle make --catalog catalog.yaml --lineage lineage.db --name production --key ops.key
  plimsoll bundle make --catalog catalog/ --lineage lineage.db --name production --key ops.key --valid 48h --follow yesterday.bundle`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := sign.load(cmd)
			if err != nil {
				return err
			}
			bans, err := homes.LoadCatalog(cat)
			if err != nil {
				return err
			}
			if _, err := os.Stat(store); err != nil {
				return err // rather than make an empty one, which bans nothing
			}
			images, err := sqlite.Open(cmd.Context(), store, sqlite.Options{})
			if err != nil {
				return err
			}
			defer images.Close()
			now := time.Now().UTC().Truncate(time.Second)
			opts.At = now
			h := bundle.Header{Name: name, Version: version, Issued: now, Expires: now.Add(valid), Catalog: bans.Digest()}
			if h.Version == 0 {
				h.Version = uint64(now.Unix())
			}
			b := bundle.NewBuilder(h)
			if follow != "" {
				if err := followFile(cmd, b, follow, key); err != nil {
					return err
				}
			}
			report, err := compile.Compile(cmd.Context(), b, bans, images, opts)
			if err != nil {
				return err
			}
			var made bytes.Buffer
			if err := b.Write(cmd.Context(), &made, keys.Signer(key)); err != nil {
				return err
			}
			if err := distribution.WriteFile(file, made.Bytes(), 0o644); err != nil {
				return err
			}
			return out.answer(cmd, report, func(w io.Writer, style console.Style) error {
				for _, c := range report.Bans {
					fmt.Fprintf(w, "%s denies %d images, %d of them excepted for now\n", c.Ban, c.Images, c.Excepted)
				}
				_, err := fmt.Fprintf(w, "%s %s: version %d of %s, %d bytes\n", style.Good("made"), file, h.Version, name, made.Len())
				return err
			})
		},
	}
	sign.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&cat, "catalog", "", "the catalog: a file or a directory")
	f.StringVar(&store, "lineage", "", "the lineage index (SQLite)")
	f.StringVar(&name, "name", "", "the stream that the bundle belongs to, such as production")
	f.StringVarP(&file, "out", "o", "deny.bundle", "file to write")
	f.StringVar(&follow, "follow", "", "the bundle before, so that the delta to it is small")
	f.DurationVar(&valid, "valid", 24*time.Hour, "how long it may be relied on")
	f.Uint64Var(&version, "version", 0, "its version (default: the time in seconds)")
	f.BoolVar(&opts.Runtime, "runtime-only", false, "leave out images that only had what is banned at work in their build")
	for _, flag := range []string{"catalog", "lineage", "name"} {
		_ = cmd.MarkFlagRequired(flag)
	}
	return cmd
}

// followFile reads the bundle before, which our own key has signed.
func followFile(cmd *cobra.Command, b *bundle.Builder, file string, key *attest.Key) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	trusted := attest.Keys{{Name: file, Key: key.Public()}}
	before, err := bundle.Load(cmd.Context(), data, keys.Verifier(trusted, time.Now))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return b.Follow(before)
}

func newBundlePush(out *output) *cobra.Command {
	var reg registries
	var trusted string
	cmd := &cobra.Command{
		Use:   "push FILE REMOTE --keys KEYS",
		Short: "Publish a deny bundle: to a registry (oci:REPOSITORY) or a directory that a web server serves",
		Example: `  plimsoll bundle push deny.bundle oci:registry.example/ops/deny --keys ops.pub
  plimsoll bundle push deny.bundle /srv/deny --keys ops.pub`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, data, verifier, err := loadBundle(cmd, args[0], trusted)
			if err != nil {
				return err
			}
			remote, closeRemote, err := nodecmd.OpenRemote(args[1], reg.plainHTTP)
			if err != nil {
				return err
			}
			defer closeRemote()
			if err := distribution.Publish(cmd.Context(), remote, b, data, verifier); err != nil {
				return err
			}
			return out.answer(cmd, b.Header(), func(w io.Writer, style console.Style) error {
				_, err := fmt.Fprintf(w, "%s version %d of %s to %s\n", style.Good("published"), b.Header().Version, b.Header().Name, args[1])
				return err
			})
		},
	}
	reg.flags(cmd)
	cmd.Flags().StringVar(&trusted, "keys", "", "trusted keys: a public key in PEM, or a list in YAML")
	_ = cmd.MarkFlagRequired("keys")
	return cmd
}

func newBundlePull(out *output) *cobra.Command {
	var reg registries
	var trusted, file string
	cmd := &cobra.Command{
		Use:     "pull REMOTE --keys KEYS",
		Short:   "Fetch the newest deny bundle into a file",
		Example: `  plimsoll bundle pull oci:registry.example/ops/deny --keys ops.pub -o deny.bundle`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			verifier, err := nodecmd.LoadVerifier(trusted)
			if err != nil {
				return err
			}
			remote, closeRemote, err := nodecmd.OpenRemote(args[0], reg.plainHTTP)
			if err != nil {
				return err
			}
			defer closeRemote()
			update, err := distribution.Fetch(cmd.Context(), remote, nil, verifier)
			if err != nil {
				return err
			}
			if err := distribution.WriteFile(file, update.Data, 0o644); err != nil {
				return err
			}
			return out.answer(cmd, update.Bundle.Header(), func(w io.Writer, style console.Style) error {
				_, err := fmt.Fprintf(w, "%s %s: version %d of %s\n", style.Good("fetched"), file, update.Bundle.Header().Version, update.Bundle.Header().Name)
				return err
			})
		},
	}
	reg.flags(cmd)
	cmd.Flags().StringVar(&trusted, "keys", "", "trusted keys: a public key in PEM, or a list in YAML")
	cmd.Flags().StringVarP(&file, "out", "o", "deny.bundle", "file to write")
	_ = cmd.MarkFlagRequired("keys")
	return cmd
}

func newBundleShow(out *output) *cobra.Command {
	var trusted string
	var list bool
	cmd := &cobra.Command{
		Use:   "show FILE [DIGEST] --keys KEYS",
		Short: "Say what a deny bundle says: its bans, or all about one digest",
		Example: `  plimsoll bundle show deny.bundle --keys ops.pub
  plimsoll bundle show deny.bundle sha256:... --keys ops.pub --json
  plimsoll bundle show deny.bundle --keys ops.pub --list > denied.txt`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, _, _, err := loadBundle(cmd, args[0], trusted)
			if err != nil {
				return err
			}
			switch {
			case len(args) == 2:
				return showDigest(cmd, out, b, args[1])
			case list:
				return listDenied(cmd.OutOrStdout(), b)
			}
			return showBans(cmd, out, b)
		},
	}
	cmd.Flags().StringVar(&trusted, "keys", "", "trusted keys: a public key in PEM, or a list in YAML")
	cmd.Flags().BoolVar(&list, "list", false, "list all denied digests")
	_ = cmd.MarkFlagRequired("keys")
	return cmd
}

func showDigest(cmd *cobra.Command, out *output, b *bundle.Bundle, digest string) error {
	entry, err := b.Find(digest)
	if err != nil {
		return err
	}
	return out.answer(cmd, entry, func(w io.Writer, style console.Style) error {
		switch {
		case !entry.Listed:
			_, err := fmt.Fprintln(w, "not known")
			return err
		case len(entry.Denials) == 0:
			_, err := fmt.Fprintln(w, style.Good("known, not denied"))
			return err
		}
		for _, d := range entry.Denials {
			fmt.Fprintf(w, "%s from %s on by %s: %s; %s\n", style.Bad("denied"), d.Ban.DenyFrom.Format(time.RFC3339), d.Ban.ID, d.Ban.Reason, d.Ban.WayOut)
			for _, s := range d.Path {
				fmt.Fprintf(w, "  stands on %s\n", s)
			}
		}
		return nil
	})
}

func listDenied(w io.Writer, b *bundle.Bundle) error {
	var failed error
	err := b.Digests(func(digest string, denied bool) bool {
		if denied {
			_, failed = fmt.Fprintln(w, digest)
		}
		return failed == nil
	})
	return errors.Join(err, failed)
}

func showBans(cmd *cobra.Command, out *output, b *bundle.Bundle) error {
	bans, err := b.Bans()
	if err != nil {
		return err
	}
	h := b.Header()
	return out.answer(cmd, map[string]any{"header": h, "bans": bans}, func(w io.Writer, _ console.Style) error {
		fmt.Fprintf(w, "version %d of %s, issued %s, expires %s: %d digests denied of %d\n", h.Version, h.Name,
			h.Issued.Format(time.RFC3339), h.Expires.Format(time.RFC3339), h.Denied, h.Records)
		for _, ban := range bans {
			fmt.Fprintf(w, "%s from %s on: %s; %s\n", ban.ID, ban.DenyFrom.Format(time.RFC3339), ban.Reason, ban.WayOut)
		}
		return nil
	})
}

func loadBundle(cmd *cobra.Command, file, trusted string) (*bundle.Bundle, []byte, bundle.Verifier, error) {
	verifier, err := nodecmd.LoadVerifier(trusted)
	if err != nil {
		return nil, nil, nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, nil, err
	}
	b, err := bundle.Load(cmd.Context(), data, verifier)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return b, data, verifier, nil
}
