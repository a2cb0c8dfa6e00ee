package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// row is an image in an answer.
type row struct {
	Names []string `json:"names,omitempty"`
	lineage.Visit
}

func (l *lineageCommand) derived() *cobra.Command {
	return l.walking(&cobra.Command{
		Use:   "derived IMAGE",
		Short: "Everything that stands on an image, directly or not, with the evidence",
		Example: `  plimsoll lineage derived registry.example/base/debian:12.8
  plimsoll lineage derived registry.example/base/debian --versions '<12.9' --json
  plimsoll lineage derived sha256:... --runtime --evidence 'build record'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.with(cmd, args[0], func(store lineage.Store, of lineage.Of, opts lineage.Options) error {
				return l.rows(cmd, store, lineage.Derived(cmd.Context(), store, of, opts))
			})
		},
	})
}

func (l *lineageCommand) bases() *cobra.Command {
	return l.walking(&cobra.Command{
		Use:     "bases IMAGE",
		Short:   "Everything that an image stands on, directly or not, with the evidence",
		Example: "  plimsoll lineage bases registry.example/team/app:1.0",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.with(cmd, args[0], func(store lineage.Store, of lineage.Of, opts lineage.Options) error {
				return l.rows(cmd, store, lineage.Bases(cmd.Context(), store, of, opts))
			})
		},
	})
}

// rows writes visits with the names of their images.
func (l *lineageCommand) rows(cmd *cobra.Command, store lineage.Store, visits iter.Seq2[lineage.Visit, error]) error {
	list := []row{}
	for v, err := range visits {
		if err != nil {
			return err
		}
		names, err := named(cmd.Context(), store, v.Image.Digest)
		if err != nil {
			return err
		}
		list = append(list, row{Names: names, Visit: v})
	}
	return l.answer(cmd, list, func(w io.Writer, style console.Style) error {
		for _, r := range list {
			how := "runtime"
			if !r.Runtime {
				how = "build"
			}
			fmt.Fprintf(w, "%s %s %s %s\n", style.Bold(console.Clean(title(r.Names, r.Visit))), r.Image.Platform, how, style.Dim(console.Clean(evidence(r.Edge, r.Grade))))
		}
		return nil
	})
}

// title is what people call an image.
func title(names []string, v lineage.Visit) string {
	if len(names) > 0 {
		return names[0]
	}
	return cmp.Or(v.Image.Digest, v.Edge.Name)
}

func evidence(e lineage.Edge, grade lineage.Grade) string {
	s := fmt.Sprintf("%s (%s", grade, e.Role)
	if e.Source != "" {
		s += ": " + e.Source
	}
	return s + ")"
}

// named returns the references that mean an image now.
func named(ctx context.Context, store lineage.Store, digest string) ([]string, error) {
	var names []string
	if digest == "" {
		return nil, nil
	}
	for tag, err := range store.Tags(ctx, lineage.TagFilter{Digests: []string{digest}, Current: true}) {
		if err != nil {
			return nil, err
		}
		names = append(names, tag.String())
	}
	return names, nil
}

func (l *lineageCommand) path() *cobra.Command {
	return l.walking(&cobra.Command{
		Use:     "path IMAGE BASE",
		Short:   "How an image stands on another, edge by edge; exit code 1 if nothing says that it does",
		Example: "  plimsoll lineage path registry.example/team/app:1.0 registry.example/base/debian:12.8",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.with(cmd, args[1], func(store lineage.Store, of lineage.Of, opts lineage.Options) error {
				image, err := l.of(cmd.Context(), store, args[0])
				if err != nil {
					return err
				}
				return l.way(cmd, store, image, of, opts)
			})
		},
	})
}

func (l *lineageCommand) way(cmd *cobra.Command, store lineage.Store, image, of lineage.Of, opts lineage.Options) error {
	above, err := image.Resolve(cmd.Context(), store)
	if err != nil {
		return err
	}
	var found []lineage.Way
	for _, img := range above {
		way, err := lineage.Path(cmd.Context(), store, img.Digest, of, opts)
		if errors.Is(err, lineage.ErrNoPath) {
			continue
		}
		if err != nil {
			return err
		}
		if img.Kind == lineage.KindManifest || len(above) == 1 {
			found = append(found, way)
		}
	}
	if len(found) == 0 {
		return answerError("nothing says that the image stands on it, which is no proof that it does not")
	}
	return l.answer(cmd, found, func(w io.Writer, style console.Style) error {
		for _, way := range found {
			for _, e := range way.Edges {
				fmt.Fprintf(w, "%s %s\n  on %s %s\n", style.Bold(e.Image.Digest), e.Image.Platform, console.Clean(cmp.Or(e.Name, e.Base)), style.Dim(console.Clean(evidence(e, e.Grade))))
			}
		}
		return nil
	})
}

func (l *lineageCommand) carrying() *cobra.Command {
	var from, below, distro string
	cmd := &cobra.Command{
		Use:   "carrying TYPE PACKAGE",
		Short: "Images that have a package, in the versions meant",
		Long: `Images that have a package, in the versions meant, as far as their packages are known: from SBOMs, or from the layers
with "scan --packages". TYPE is that of a package URL: deb, apk, rpm, npm, pypi, golang, gem.`,
		Example: "  plimsoll lineage carrying deb openssl --below 3.0.14-1 --distro debian-12",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := l.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			list := []lineage.Carrier{}
			for c, err := range lineage.Carrying(cmd.Context(), store, catalogPackage(args, from, below, distro)) {
				if err != nil {
					return err
				}
				list = append(list, c)
			}
			return l.answer(cmd, list, func(w io.Writer, style console.Style) error {
				for _, c := range list {
					names, err := named(cmd.Context(), store, c.Image.Digest)
					if err != nil {
						return err
					}
					fmt.Fprintf(w, "%s %s %s %s\n", style.Bold(title(names, lineage.Visit{Image: c.Image})), c.Image.Platform, console.Clean(c.Package.Version), style.Note(console.Clean(c.Doubt)))
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the first version that is meant")
	cmd.Flags().StringVar(&below, "below", "", "the first version that is not meant any more")
	cmd.Flags().StringVar(&distro, "distro", "", `the distribution, "debian-12" or "debian"`)
	return cmd
}

func (l *lineageCommand) unowned() *cobra.Command {
	return &cobra.Command{
		Use:     "unowned",
		Short:   "Images that nobody is known to answer for",
		Example: "  plimsoll lineage unowned --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := l.open(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			list := []row{}
			for img, err := range store.Unowned(cmd.Context()) {
				if err != nil {
					return err
				}
				names, err := named(cmd.Context(), store, img.Digest)
				if err != nil {
					return err
				}
				list = append(list, row{Names: names, Visit: lineage.Visit{Image: img}})
			}
			return l.answer(cmd, list, func(w io.Writer, style console.Style) error {
				for _, r := range list {
					fmt.Fprintf(w, "%s %s %s\n", style.Bold(console.Clean(title(r.Names, r.Visit))), r.Image.Platform, r.Image.Digest)
				}
				return nil
			})
		},
	}
}

func (l *lineageCommand) graph() *cobra.Command {
	var format string
	var limit int
	cmd := l.walking(&cobra.Command{
		Use:   "graph IMAGE",
		Short: "Draw what an image stands on and what stands on it",
		Example: `  plimsoll lineage graph registry.example/base/debian:12.8 --format svg > debian.svg
  plimsoll lineage graph registry.example/team/app:1.0 --format mermaid`,
		Args: cobra.ExactArgs(1),
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if l.json {
			format = "json"
		}
		write, ok := drawing[format]
		if !ok {
			return fmt.Errorf("--format %q is none of svg, dot, mermaid, json", format)
		}
		return l.with(cmd, args[0], func(store lineage.Store, of lineage.Of, opts lineage.Options) error {
			g, err := lineage.GraphOf(cmd.Context(), store, of, opts, limit)
			if err != nil {
				return err
			}
			return write(cmd.OutOrStdout(), g)
		})
	}
	cmd.Flags().StringVar(&format, "format", "svg", "svg, dot, mermaid or json")
	cmd.Flags().IntVar(&limit, "limit", 500, "how many images at most")
	return cmd
}
