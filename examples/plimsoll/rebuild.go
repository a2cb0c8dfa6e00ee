package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/features/image"
	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// rebuilding is what the subcommands have in common.
type rebuilding struct {
	*output

	lineage   lineageCommand
	storm     string // the storm's database
	plainHTTP []string
	eng       engines
	trust     trust
	catalog   string

	// which base, and what instead
	ban, from, to, campaign, because, severity string
	compatible, runs                           bool
	pinned                                     map[string]string
	grade                                      string
	owners, only                               []string

	// how it is done
	service  service
	builders []string
	evidence evidenceFlags
	keys     string
	trusted  []string
	suites   []string
	test     bool
	tell     telling
	opts     runner.Options
	detach   bool
	closers  []func() error
	client   *registry.Client
	cat      *catalog.Catalog
}

func newRebuild(out *output) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Bring all images on a banned base onto another one: rebased where that is proven to be right, built again where not",
		Long: `Bring all images on a banned base onto another one, in waves: an image that is the base of others comes before them.
An image is rebased where that is proven to be the same as building it again, and built again from the commit of its signed
provenance where not. A tag is moved only if the image passed its tests and the tag still points to what was planned; the old
image stays, by its digest.

Look first: "preview" changes nothing. What "start" began is in a database (--storm), where it goes on after a crash; with
PostgreSQL "work" on other machines does its part.`,
	}
	r := &rebuilding{output: out}
	cmd.AddCommand(r.previewing(), r.starting(), r.single(), r.working(), r.watching(), r.status())
	for verb, do := range map[string]struct {
		short string
		f     func(*runner.Runner, context.Context, string, string) (*runner.Status, error)
	}{
		"pause":  {"Begin no more images of a campaign; those under way are finished", (*runner.Runner).Pause},
		"resume": {"Go on with a campaign that was paused, by a person or because too much failed", (*runner.Runner).Resume},
		"cancel": {"End a campaign; tags that have moved stay so", (*runner.Runner).Cancel},
	} {
		cmd.AddCommand(r.control(verb, do.short, do.f))
	}
	return cmd
}

func (r *rebuilding) common(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&r.storm, "storm", "storm.db", "the file with what is to be done, or the URL of a PostgreSQL database")
	return cmd
}

// asking adds the flags that say which base is to be left.
func (r *rebuilding) asking(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.lineage.store, "lineage", "lineage.db", "the lineage index: a file, or the URL of a PostgreSQL database")
	f.StringVar(&r.catalog, "catalog", "", homes.CatalogHelp)
	r.trust.flags(cmd)
	f.StringVar(&r.ban, "ban", "", "the id of a ban in the catalog, which says what is left and what takes its place")
	f.StringVar(&r.from, "from", "", "instead: the base to leave, a reference, a digest or a repository")
	f.StringVar(&r.to, "to", "", "and the one that takes its place, a reference")
	f.StringVar(&r.lineage.versions, "versions", "", `with --from REPOSITORY: which of its tags, ">=12 <12.9"`)
	f.StringVar(&r.campaign, "campaign", "", "with --from: the campaign's id (default: made of both)")
	f.StringVar(&r.because, "because", "", "with --from: why, for people")
	f.StringVar(&r.severity, "severity", "", "with --from: low, medium, high or critical")
	f.BoolVar(&r.compatible, "compatible", false, "programs linked against the old base run on the new one")
	f.BoolVar(&r.runs, "runs", false, "what the images' own RUN steps made does not depend on the base")
	f.StringToStringVar(&r.pinned, "pin", nil, "images that are not rebased, REPOSITORY=REASON")
	f.StringVar(&r.grade, "evidence", "build record", "the poorest evidence by which an image is rebased")
	f.StringSliceVar(&r.owners, "first", nil, "owners whose images come first, in this order")
	f.StringSliceVar(&r.only, "only", nil, "these images only, REPOSITORY[:TAG]")
	plainHTTPFlag(cmd, &r.plainHTTP)
}

// doing adds the flags that say how it is done.
func (r *rebuilding) doing(cmd *cobra.Command) {
	f := cmd.Flags()
	r.eng.flags(cmd)
	f.StringSliceVar(&r.builders, "builder", nil, "engines that build again what cannot be rebased (may be repeated): "+homes.BuilderHelp)
	r.service.flags(cmd)
	r.evidence.flags(cmd)
	f.StringVar(&r.keys, "keys", "", "trusted keys, of the evidence about images: a public key in PEM, or a list in YAML")
	f.StringSliceVar(&r.trusted, "trusted-builder", nil, "ids of the builders whose provenance says from which commit an image is built again")
	f.BoolVar(&r.test, "test", false, "test rebased images with the features of their definitions, and refuse those that have none")
	f.StringSliceVar(&r.suites, "suite", nil, "test rebased images with ready-made suites as well: "+strings.Join(image.Names(), ", "))
	r.tell.flags(cmd)
	f.IntVar(&r.opts.Workers, "workers", 4, "how many images this process does at once")
	f.IntVar(&r.opts.Limits.Total, "max", 8, "how many images are under way at once, over all processes")
	f.IntVar(&r.opts.Limits.Registry, "max-registry", 0, "the same, of each registry (default: no limit)")
	f.IntVar(&r.opts.Limits.Team, "max-team", 0, "the same, of each owner (default: no limit)")
	f.IntVar(&r.opts.Canary, "canary", 3, "how many images are done before all others; negative for none")
	f.Float64Var(&r.opts.Breaker.Rate, "failures", 0.2, "the part of failures at which the campaign is paused")
	f.DurationVar(&r.opts.Debounce, "debounce", 0, "how long the campaign waits for more before it begins")
}

func (r *rebuilding) previewing() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Say what would be done, why, in which order, and what cannot be fixed; change nothing",
		Example: `  plimsoll rebuild preview --catalog catalog.yaml --ban BAN-7
  plimsoll rebuild preview --from registry.example/base/debian:12.8 --to registry.example/base/debian:12.9 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.opts.Workers = -1
			return r.with(cmd, func(_ context.Context, storms *runner.Runner) error {
				p, err := r.preview(cmd, storms)
				if err != nil {
					return err
				}
				return r.answer(cmd, p, func(w io.Writer, style console.Style) error { return printPreview(w, style, p) })
			})
		},
	}
	r.asking(cmd)
	return r.common(cmd)
}

func (r *rebuilding) starting() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Do what a preview says, and show how far it is; a campaign that is there already goes on",
		Long: `Do what a preview says, and show how far it is. When the process ends before the campaign does, the same command goes on
with it. What comes to light later (another image on the same base) is added by the same command again.

Exit codes: 0 all was done, 1 images failed or are left to somebody, 2 it could not work.`,
		Example: `  plimsoll rebuild start --catalog catalog.yaml --ban BAN-7 --service https://builds.example --keys keys.yaml --trusted-builder ID
  plimsoll rebuild start --from registry.example/base/debian:12.8 --to registry.example/base/debian:12.9 --builder embedded --notify notify.yaml
  plimsoll rebuild start --catalog catalog.yaml --ban BAN-7 --storm postgres://db.example/storm --detach`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.start(cmd) },
	}
	r.doing(cmd)
	r.asking(cmd)
	cmd.Flags().BoolVar(&r.detach, "detach", false, "write down what is to be done, for others to work on, and don't wait")
	return r.common(cmd)
}

func (r *rebuilding) single() *cobra.Command {
	apply := false
	cmd := &cobra.Command{
		Use:   "image REPOSITORY:TAG",
		Short: "The same for one image: say what would be done and why, or with --apply do it",
		Example: `  plimsoll rebuild image registry.example/team/app:1.2 --catalog catalog.yaml --ban BAN-7
  plimsoll rebuild image registry.example/team/app:1.2 --from registry.example/base/debian:12.8 --to registry.example/base/debian:12.9 --apply`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.only = args
			if apply {
				r.campaign = cmp.Or(r.campaign, cmp.Or(r.ban, "rebuild")+" "+args[0])
				return r.start(cmd)
			}
			r.opts.Workers = -1
			return r.with(cmd, func(_ context.Context, storms *runner.Runner) error {
				p, err := r.preview(cmd, storms)
				if err != nil {
					return err
				}
				return r.answer(cmd, p, func(w io.Writer, style console.Style) error { return printPreview(w, style, p) })
			})
		},
	}
	r.doing(cmd)
	r.asking(cmd)
	cmd.Flags().BoolVar(&apply, "apply", false, "do it")
	return r.common(cmd)
}

func (r *rebuilding) working() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "work",
		Short:   "Work on all campaigns of a database until it is stopped",
		Example: "  plimsoll rebuild work --storm postgres://db.example/storm --catalog catalog.yaml --builder unix:///run/buildkit/buildkitd.sock",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.with(cmd, func(ctx context.Context, storms *runner.Runner) error { return storms.Run(ctx) })
		},
	}
	r.doing(cmd)
	r.asking(cmd)
	return r.common(cmd)
}

func (r *rebuilding) status() *cobra.Command {
	return r.common(&cobra.Command{
		Use:   "status [CAMPAIGN]",
		Short: "Say how far campaigns are, or what became of each image of one",
		Example: `  plimsoll rebuild status
  plimsoll rebuild status BAN-7 --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.opts.Workers = -1
			return r.with(cmd, func(ctx context.Context, storms *runner.Runner) error {
				if len(args) == 1 {
					return r.report(cmd, storms, args[0])
				}
				ids, err := storms.Campaigns(ctx)
				if err != nil {
					return err
				}
				all := []*runner.Status{}
				for _, id := range ids {
					s, err := storms.Status(ctx, id)
					if err != nil {
						return err
					}
					all = append(all, s)
				}
				return r.answer(cmd, all, func(w io.Writer, _ console.Style) error {
					for _, s := range all {
						fmt.Fprintln(w, statusLine(s))
					}
					return nil
				})
			})
		},
	})
}

func (r *rebuilding) control(verb, short string, do func(*runner.Runner, context.Context, string, string) (*runner.Status, error)) *cobra.Command {
	return r.common(&cobra.Command{
		Use: verb + " CAMPAIGN", Short: short, Example: "  plimsoll rebuild " + verb + " BAN-7", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.opts.Workers = -1
			return r.with(cmd, func(ctx context.Context, storms *runner.Runner) error {
				by := "somebody"
				if me, err := user.Current(); err == nil {
					by = me.Username
				}
				s, err := do(storms, ctx, args[0], by)
				if err != nil {
					return err
				}
				return r.answer(cmd, s, func(w io.Writer, _ console.Style) error {
					_, err := fmt.Fprintln(w, statusLine(s))
					return err
				})
			})
		},
	})
}

func (r *rebuilding) preview(cmd *cobra.Command, storms *runner.Runner) (*storm.Preview, error) {
	ctx := cmd.Context()
	store, isStore := r.opts.Lineage.(lineage.Store)
	if !isStore {
		var err error
		if store, err = r.open(ctx); err != nil {
			return nil, err
		}
	}
	question, err := r.question(ctx, store)
	if err != nil {
		return nil, err
	}
	return r.plan(ctx, storms, store, question)
}

// plan previews what a question asks, as the flags want it.
func (r *rebuilding) plan(ctx context.Context, storms *runner.Runner, store lineage.Store, question storm.Question) (*storm.Preview, error) {
	policy := rebuild.Policy{Runs: r.runs, Compatible: r.compatible}
	if err := policy.Grade.UnmarshalText([]byte(r.grade)); err != nil {
		return nil, err
	}
	planner := &storm.Planner{
		Lineage: store, Mover: storms.Mover(), Past: storms, Owners: r.owners, Tested: r.opts.Tester != nil,
		Policy: func(_ catalog.Project, repository string) rebuild.Policy {
			p := policy
			p.Pinned = r.pinned[repository]
			return p
		},
	}
	p, err := planner.Preview(ctx, question)
	if err != nil || len(r.only) == 0 {
		return p, err
	}
	return p.Only(func(item *storm.Item) bool {
		for _, name := range r.only {
			repository, tag := lineage.SplitName(catalog.FullReference(name))
			if !strings.Contains(filepath.Base(name), ":") {
				tag = ""
			}
			if item.Repository == repository && (tag == "" || contains(item.Tags, tag)) {
				return true
			}
		}
		return false
	}), nil
}

func (r *rebuilding) question(ctx context.Context, store lineage.Store) (storm.Question, error) {
	switch {
	case r.ban != "" && r.cat == nil:
		return storm.Question{}, errors.New("the ban is in a catalog: name it with --catalog")
	case r.ban != "":
		q, err := storm.FromBan(r.cat, r.ban, homes.CatalogFacts(r.client), time.Now())
		q.Campaign = cmp.Or(r.campaign, q.Campaign)
		return q, err
	case r.from == "" || r.to == "":
		return storm.Question{}, errors.New("say which base is to be left: --ban ID, or --from IMAGE --to IMAGE")
	}
	of, err := r.lineage.of(ctx, store, r.from)
	if err != nil {
		return storm.Question{}, err
	}
	digest, err := r.client.Resolve(ctx, r.to)
	if err != nil {
		return storm.Question{}, err
	}
	name, _, _ := strings.Cut(catalog.FullReference(r.to), "@")
	return storm.Question{
		Campaign: cmp.Or(r.campaign, r.from+" to "+name+"@"+digest), Because: r.because, Severity: r.severity, Of: of, Replace: storm.To(name, digest, r.compatible),
	}, nil
}

func (r *rebuilding) start(cmd *cobra.Command) error {
	if r.detach {
		r.opts.Workers = -1
	}
	return r.with(cmd, func(ctx context.Context, storms *runner.Runner) error {
		p, err := r.preview(cmd, storms)
		if err != nil {
			return err
		}
		if r.campaign != "" {
			p.Campaign = r.campaign
		}
		s, err := storms.Start(ctx, p)
		if err != nil {
			return err
		}
		if r.detach {
			return r.answer(cmd, s, func(w io.Writer, _ console.Style) error { _, err := fmt.Fprintln(w, statusLine(s)); return err })
		}
		running, stop := context.WithCancel(ctx)
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- storms.Run(running) }()
		waves := console.NewWaves(cmd.ErrOrStderr(), r.quiet)
		_, err = storms.Wait(ctx, p.Campaign, func(s *runner.Status) {
			for _, w := range s.Waves {
				waves.Show(console.Wave{Name: fmt.Sprintf("wave %d", w.Number), All: w.Images, Done: w.Done, Failed: w.Failed, Left: w.Left, Running: w.Running})
			}
		})
		waves.Close()
		stop()
		if err := errors.Join(err, <-ended); err != nil {
			return err
		}
		return r.report(cmd, storms, p.Campaign)
	})
}

// report shows what became of the images of a campaign.
func (r *rebuilding) report(cmd *cobra.Command, storms *runner.Runner, campaign string) error {
	s, err := storms.Status(cmd.Context(), campaign)
	if err != nil {
		return err
	}
	outcomes, err := storms.Outcomes(cmd.Context(), campaign)
	if err != nil {
		return err
	}
	err = r.answer(cmd, map[string]any{"status": s, "images": outcomes}, func(w io.Writer, style console.Style) error {
		for _, o := range outcomes {
			fmt.Fprintln(w, outcomeLine(style, &o))
		}
		_, err := fmt.Fprintln(w, statusLine(s))
		return err
	})
	over, bad := 0, 0
	for _, w := range s.Waves {
		over, bad = over+w.Images, bad+w.Failed+w.Left
	}
	if err == nil && bad > 0 {
		return answerError(fmt.Sprintf("%d of %d images were not replaced", bad, over))
	}
	return err
}
