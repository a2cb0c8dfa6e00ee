package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/catalogs"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// pushing is what a push needs.
type pushing struct {
	to, key, passphrase, trusted string
	plainHTTP                    []string
	days                         int
	opts                         catalogs.PushOptions
}

func newCatalogPush(out *output) *cobra.Command {
	var p pushing
	cmd := &cobra.Command{
		Use:   "push CATALOG --to REPOSITORY --key KEY",
		Short: "Sign a catalog and push it to a registry",
		Long: `Check, sign and push a catalog to a registry, as one artifact with all that it includes. Its version is one more than that of
the catalog that is there, whose bans must still be in it: a ban is lifted, not deleted. Those who pull it refuse older
versions than they have seen.

The key is a private key in PEM, also as "cosign generate-key-pair" makes it; a passphrase is read from a file.`,
		Example: `  plimsoll catalog push catalog/ --to registry.example/ops/catalog --key cosign.key --passphrase-file passphrase
  plimsoll catalog push catalog/ --to registry.example/ops/catalog --key ops.key --expires 30 --dry-run`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pushed, err := p.push(cmd, args[0])
			if err != nil {
				return err
			}
			return out.answer(cmd, pushed, func(w io.Writer, style console.Style) error { return printPushed(w, style, pushed) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.to, "to", "", "repository, registry.example/ops/catalog")
	f.StringVar(&p.key, "key", "", "private key to sign with, a PEM file")
	f.StringVar(&p.passphrase, "passphrase-file", "", "file with the key's passphrase")
	f.StringVar(&p.trusted, "trusted", "", "public keys by which the catalog that is there may be signed (default: the one of --key)")
	f.StringVar(&p.opts.Name, "catalog-name", "", "name that keeps catalogs of one key apart (default: the repository's path)")
	f.Uint64Var(&p.opts.Version, "version", 0, "version (default: one more than the one that is there)")
	f.IntVar(&p.days, "expires", 0, "days after which it is no longer accepted (default: never)")
	f.StringSliceVar(&p.opts.Tags, "tag", []string{"current"}, "tags to set; the first is where the catalog before is looked for")
	f.BoolVar(&p.opts.DryRun, "dry-run", false, "say what would be pushed, and push nothing")
	plainHTTPFlag(cmd, &p.plainHTTP)
	_ = cmd.MarkFlagRequired("to")
	_ = cmd.MarkFlagRequired("key")
	return cmd
}

func (p *pushing) push(cmd *cobra.Command, path string) (*catalogs.Pushed, error) {
	key, err := readKey(p.key, p.passphrase)
	if err != nil {
		return nil, err
	}
	opts := p.opts
	opts.Signer, opts.Trust, opts.At = key, attest.Keys{{Name: filepath.Base(p.key), Key: key.Public()}}, time.Now()
	if p.trusted != "" {
		if opts.Trust, err = homes.LoadKeys(p.trusted); err != nil {
			return nil, err
		}
	}
	if p.days < 0 {
		return nil, fmt.Errorf("--expires %d: a catalog can't end before it begins", p.days)
	}
	if p.days > 0 {
		opts.Expires = opts.At.AddDate(0, 0, p.days)
	}
	client := newRegistry(p.plainHTTP)
	defer client.Close()
	var files fs.FS
	var root string
	if files, root, opts.Loader, err = homes.CatalogFiles(path, homes.CatalogLoader(client)); err != nil {
		return nil, err
	}
	return catalogs.Push(cmd.Context(), client, p.to, files, root, opts)
}

func readKey(path, passphrase string) (*attest.Key, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the key: %w", err)
	}
	var secret []byte
	if passphrase != "" {
		if secret, err = os.ReadFile(passphrase); err != nil {
			return nil, fmt.Errorf("the passphrase: %w", err)
		}
		secret = trimNewline(secret)
	}
	key, err := attest.LoadKey(src, secret)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// trimNewline takes off the line break that editors put at the end.
func trimNewline(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

func printPushed(w io.Writer, style console.Style, p *catalogs.Pushed) error {
	what := style.Good("pushed") + " version " + fmt.Sprint(p.Version) + " as " + p.Reference
	if p.Reference == "" {
		what = style.Note("would push") + " version " + fmt.Sprint(p.Version)
	}
	if p.Before > 0 {
		what += fmt.Sprintf(", after version %d", p.Before)
	}
	_, err := fmt.Fprintf(w, "%s\ncatalog %s\n", what, p.Catalog)
	return errors.Join(err, printChanges(w, p.Changes))
}

func printChanges(w io.Writer, changes []catalog.Change) error {
	for _, c := range changes {
		if _, err := fmt.Fprintln(w, console.Clean(c.String())); err != nil {
			return err
		}
	}
	return nil
}

func newCatalogPull(out *output) *cobra.Command {
	var from anyCatalog
	var dir string
	cmd := &cobra.Command{
		Use:   "pull REFERENCE --out DIR",
		Short: "Pull a catalog from a registry, if it is signed and not older than the last one",
		Example: `  plimsoll catalog pull registry.example/ops/catalog:current --catalog-key ops.pub --out catalog
  plimsoll catalog pull registry.example/ops/catalog@sha256:... --out catalog`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := newRegistry(from.plainHTTP)
			defer client.Close()
			where, err := from.source(args[0], "", client)
			if err != nil {
				return err
			}
			cat, err := homes.PullCatalog(cmd.Context(), where, dir)
			if err != nil {
				return err
			}
			answer := map[string]any{"catalog": cat.Digest(), "origin": cat.Origin(), "directory": dir}
			return out.answer(cmd, answer, func(w io.Writer, style console.Style) error {
				_, err := fmt.Fprintf(w, "%s version %d to %s\ncatalog %s\n", style.Good("pulled"), cat.Origin().Version, dir, cat.Digest())
				return err
			})
		},
	}
	from.flags(cmd)
	cmd.Flags().StringVarP(&dir, "out", "o", "", "directory for its files, which must not exist or be empty")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}

func newCatalogDiff(out *output) *cobra.Command {
	var from anyCatalog
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Say what is different in a later catalog",
		Example: `  plimsoll catalog diff oci://registry.example/ops/catalog:current catalog/ --catalog-key ops.pub
  plimsoll catalog diff old.yaml new.yaml --json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var both [2]*catalog.Catalog
			for i, path := range args {
				var err error
				if both[i], err = from.load(cmd, path); err != nil {
					return err
				}
			}
			changes := catalog.Changes(both[0], both[1])
			return out.answer(cmd, changes, func(w io.Writer, _ console.Style) error { return printChanges(w, changes) })
		},
	}
	from.flags(cmd)
	return cmd
}
