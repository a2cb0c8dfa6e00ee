package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages/installed"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/draw"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/postgres"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/scan"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/sqlite"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// lineageCommand is what the subcommands have in common.
type lineageCommand struct {
	*output

	store    string
	versions string
	evidence string
	runtime  bool
	direct   bool
}

func newLineage(out *output) *cobra.Command {
	l := &lineageCommand{output: out}
	cmd := &cobra.Command{
		Use:   "lineage",
		Short: "Know which image stands on which, and how that is known",
		Long: `Know which image stands on which, and how that is known.

The graph is kept in a file, or in PostgreSQL where --store is its URL. Fill it with "scan"; builds fill it too.
An image is named by a reference, by any of its digests (index, manifest, config), or as a whole repository.`,
		Example: `  plimsoll lineage scan registry.example/base/debian registry.example/team/app
  plimsoll lineage derived registry.example/base/debian:12.8
  plimsoll lineage derived registry.example/base/debian --versions '<12.9' --evidence 'build record'
  plimsoll lineage path registry.example/team/app:1.0 registry.example/base/debian:12.8
  plimsoll lineage carrying deb openssl --below 3.0.14-1
  plimsoll lineage graph registry.example/base/debian:12.8 --format svg > debian.svg`,
	}
	cmd.PersistentFlags().StringVar(&l.store, "store", "lineage.db", "the file with the graph, or the URL of a PostgreSQL database")
	cmd.AddCommand(l.scan(), l.derived(), l.bases(), l.path(), l.carrying(), l.unowned(), l.graph())
	return cmd
}

func (l *lineageCommand) open(ctx context.Context) (lineage.Store, error) {
	if strings.HasPrefix(l.store, "postgres://") || strings.HasPrefix(l.store, "postgresql://") {
		return postgres.Open(ctx, l.store, postgres.Options{})
	}
	return sqlite.Open(ctx, l.store, sqlite.Options{})
}

func (l *lineageCommand) scan() *cobra.Command {
	var opts scan.Options
	var registries []string
	var insecure []string
	var layers bool
	cmd := &cobra.Command{
		Use:   "scan [REPOSITORY...]",
		Short: "Read images from registries into the graph; later scans read what is new",
		Long: `Read images from registries into the graph. Later scans read what is new, and one that was stopped goes on.

Repositories are named, or with --registry listed by a registry that does so. What can't be read is told and does not
stop the scan; then the exit code is 1.`,
		Example: `  plimsoll lineage scan registry.example/base/debian registry.example/team/app
  plimsoll lineage scan --registry registry.example:5000 --per-second 50 --packages`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args)+len(registries) == 0 {
				return errors.New("name repositories, or a registry with --registry")
			}
			store, err := l.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			client := registry.New(registry.Options{
				Keychain: authn.DefaultKeychain, Transport: scan.Polite(&http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 64}),
				Insecure: func(host string) bool { return contains(insecure, host) },
			})
			defer client.Close()
			if layers {
				opts.Packages = func(ctx context.Context, ref string) (lineage.Inventory, error) { return inventory(ctx, client, ref) }
			}
			result, err := l.scanning(cmd, store, client, opts, scan.What{Registries: registries, Repositories: args})
			if err != nil {
				return err
			}
			err = l.answer(cmd, result, func(w io.Writer, style console.Style) error { return printScan(w, style, result) })
			if err == nil && result.Failed > 0 {
				err = answerError(fmt.Sprintf("%d could not be read", result.Failed))
			}
			return err
		},
	}
	cmd.Flags().StringArrayVar(&registries, "registry", nil, "scan all repositories that this registry lists (may be repeated)")
	cmd.Flags().StringArrayVar(&insecure, "insecure", nil, "a host that may be asked over plain http (may be repeated)")
	cmd.Flags().IntVar(&opts.Connections, "connections", 8, "requests at a time")
	cmd.Flags().Float64Var(&opts.PerSecond, "per-second", 0, "requests a second at most (default no limit)")
	cmd.Flags().DurationVar(&opts.Recheck, "recheck", 24*time.Hour, "how long a tag that names one version is believed not to have moved")
	cmd.Flags().BoolVar(&layers, "packages", false, "read from the layers which packages are installed, where no SBOM says so")
	return cmd
}

// answerError is an answer, not a failure to work: the exit code is 1.
type answerError string

func (e answerError) Error() string { return string(e) }

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}

// inventory reads the packages of an image from its layers.
func inventory(ctx context.Context, client *registry.Client, ref string) (lineage.Inventory, error) {
	img, err := client.Image(ctx, ref, "linux/amd64")
	if err != nil {
		return lineage.Inventory{}, err
	}
	list, err := installed.Read(ctx, img, false)
	inv := lineage.Inventory{Distro: list.Distro, Source: "its layers"}
	for _, p := range list.Packages {
		inv.Packages = append(inv.Packages, lineage.Package{Type: p.Type, Name: p.Name, Version: p.Version})
	}
	return inv, err
}

// scanning scans with progress.
func (l *lineageCommand) scanning(cmd *cobra.Command, store lineage.Store, client *registry.Client, opts scan.Options, what scan.What) (scan.Result, error) {
	progress := l.progress(cmd)
	defer progress.Close()
	run := pipeline.NewRun(pipeline.Options{Events: progress.Event})
	opts.Progress = func(p scan.Progress) {
		run.Progress("scan", fmt.Sprintf("%d repositories, %d tags, %d images read", p.Repositories, p.Tags, p.Images))
	}
	return pipeline.Do(cmd.Context(), run, "scan", func(ctx context.Context) (scan.Result, error) {
		scanner := scan.Scanner{Registry: client, Store: store, Options: opts}
		return scanner.Scan(ctx, what)
	})
}

func printScan(w io.Writer, style console.Style, r scan.Result) error {
	for _, p := range r.Problems {
		fmt.Fprintf(w, "%s %s\n", style.Bad("not read:"), console.Clean(p.Error))
	}
	_, err := fmt.Fprintf(w, "%d repositories, %d tags, %d images read with %d requests, %d not read\n", r.Repositories, r.Tags, r.Images, r.Requests, r.Failed)
	return err
}

// of reads what an argument means: a digest, a reference or a repository, with --versions to choose among its tags.
func (l *lineageCommand) of(ctx context.Context, store lineage.Store, arg string) (lineage.Of, error) {
	if strings.HasPrefix(arg, "sha256:") || strings.HasPrefix(arg, "sha512:") {
		return lineage.Of{Digests: []string{arg}}, nil
	}
	body, digest, _ := strings.Cut(arg, "@")
	if digest != "" {
		return lineage.Of{Digests: []string{digest}}, nil
	}
	tag, err := name.NewTag(body, name.WithDefaultTag(""))
	if err != nil {
		return lineage.Of{}, fmt.Errorf("%q is neither a digest nor a reference", arg)
	}
	repository := tag.Context().Name()
	if path, ok := strings.CutPrefix(repository, name.DefaultRegistry+"/"); ok {
		repository = "docker.io/" + path
	}
	of := lineage.Of{Repository: repository}
	switch {
	case l.versions != "" && tag.TagStr() != "":
		return of, errors.New("--versions chooses among all tags of a repository: leave the tag out")
	case l.versions != "":
		check, err := semver.NewConstraint(l.versions)
		if err != nil {
			return of, fmt.Errorf("--versions %q: %w", l.versions, err)
		}
		of.Tag = func(tag string) bool { return within(check, tag) }
	case tag.TagStr() != "":
		of.Tag = func(t string) bool { return t == tag.TagStr() }
	}
	meant, err := of.Resolve(ctx, store)
	if err == nil && len(meant) == 0 {
		for e, err := range store.Named(ctx, repository) {
			if err != nil {
				return of, err
			}
			if _, t := lineage.SplitName(e.Name); of.Tag == nil || of.Tag(t) {
				return of, nil
			}
		}
		err = fmt.Errorf("%s is not in the graph: scan its repository, or name it by digest", arg)
	}
	return of, err
}

// within compares the version that a tag begins with; what follows it ("-slim") is the family and does not matter.
func within(check *semver.Constraints, tag string) bool {
	number, _, _ := strings.Cut(tag, "-")
	v, err := semver.NewVersion(number)
	return err == nil && check.Check(v)
}

func (l *lineageCommand) walking(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&l.versions, "versions", "", `a range of the repository's tags: ">=12 <12.9"`)
	cmd.Flags().StringVar(&l.evidence, "evidence", "", `the poorest evidence that counts: "signed provenance", "build record", "unsigned provenance", "base annotation", "layer chain"`)
	cmd.Flags().BoolVar(&l.runtime, "runtime", false, "leave out what was only at work in builds")
	cmd.Flags().BoolVar(&l.direct, "direct", false, "only what is joined directly")
	return cmd
}

func (l *lineageCommand) options() (lineage.Options, error) {
	opts := lineage.Options{Runtime: l.runtime, Direct: l.direct}
	if l.evidence == "" {
		return opts, nil
	}
	return opts, opts.AtLeast.UnmarshalText([]byte(l.evidence))
}

// with opens the store and reads what the command is about.
func (l *lineageCommand) with(cmd *cobra.Command, arg string, f func(lineage.Store, lineage.Of, lineage.Options) error) error {
	opts, err := l.options()
	if err != nil {
		return err
	}
	store, err := l.open(cmd.Context())
	if err != nil {
		return err
	}
	defer store.Close()
	of, err := l.of(cmd.Context(), store, arg)
	if err != nil {
		return err
	}
	return f(store, of, opts)
}

// catalogPackage is the package that "carrying" asks for.
func catalogPackage(args []string, from, below, distro string) catalog.Package {
	return catalog.Package{Type: args[0], Name: args[1], From: from, Below: below, Distro: distro}
}

// drawing are the formats of "graph".
var drawing = map[string]func(io.Writer, lineage.Graph) error{
	"svg": draw.SVG, "dot": draw.DOT, "mermaid": draw.Mermaid,
	"json": func(w io.Writer, g lineage.Graph) error { return console.JSON(w, g) },
}
