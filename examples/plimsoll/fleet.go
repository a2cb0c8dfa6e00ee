package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/namespaces"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/where"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// fleetCommand is what the subcommands have in common.
type fleetCommand struct {
	*output

	hosts    []string
	contexts []string
	lineage  string
	by       string
}

func newFleet(out *output) *cobra.Command {
	f := &fleetCommand{output: out}
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "Find running containers by what they stand on, and run a remedy in each",
		Long: `Find running containers by what they stand on, and run a remedy in each: the stop-gap until all is rebuilt.

Docker hosts are named by --host (unix://, tcp://, ssh://, Podman's socket too) and --context. A condition is an
expression over an instance and its image's lineage: derivedFrom("debian:12", "<12.9"), carries("libssl3", "<3.0.14"),
image, name, namespace, service, owner, host, labels, ports, age.`,
		Example: `  plimsoll fleet ls --lineage lineage.db --where 'derivedFrom("registry.example/base/debian:12", "<12.9")'
  plimsoll fleet run remedy.yaml --lineage lineage.db --dry-run
  plimsoll fleet run remedy.yaml --lineage lineage.db --transcript ./transcript --host ssh://ops@web-7 --host ssh://ops@web-8
  plimsoll fleet report ./transcript --format html > remedy.html`,
	}
	cmd.PersistentFlags().StringArrayVar(&f.hosts, "host", nil, "address of a Docker or Podman host (may be repeated; default the local socket)")
	cmd.PersistentFlags().StringArrayVar(&f.contexts, "context", nil, "name of a Docker context (may be repeated)")
	cmd.PersistentFlags().StringVar(&f.lineage, "lineage", "", "the file with the lineage graph, or the URL of a PostgreSQL database")
	cmd.AddCommand(f.ls(), f.run(), f.approve(), f.report())
	return cmd
}

// places opens all hosts that are named.
func (f *fleetCommand) places() (places []fleet.Place, closing func(), err error) {
	var open []*docker.Place
	closing = func() {
		for _, p := range open {
			_ = p.Close() // it only has idle connections
		}
	}
	var options []docker.Options
	for _, host := range f.hosts {
		options = append(options, docker.Options{Host: host})
	}
	for _, name := range f.contexts {
		options = append(options, docker.Options{Context: name})
	}
	if len(options) == 0 {
		options = append(options, docker.Options{Host: os.Getenv("DOCKER_HOST")})
	}
	enter, err := namespaces.New()
	entered := err == nil // without it strategy namespaces is not possible, and says so
	names := map[string]bool{}
	for _, o := range options {
		if entered && o.Context == "" && (o.Host == "" || strings.HasPrefix(o.Host, "unix://")) {
			o.Enter = enter.Run
		}
		p, err := docker.Open(o)
		if err != nil {
			return nil, closing, err
		}
		if names[p.Name()] {
			return nil, closing, fmt.Errorf("%s is named twice", p.Name())
		}
		names[p.Name()] = true
		open, places = append(open, p), append(places, p)
	}
	return places, closing, nil
}

// selector compiles a condition and asks lineage.
func (f *fleetCommand) selector(ctx context.Context, condition string) (s *where.Selector, closing func(), err error) {
	closing = func() {}
	c, err := where.Compile(condition)
	if err != nil {
		return nil, closing, err
	}
	var store lineage.Store
	if f.lineage != "" {
		l := lineageCommand{output: f.output, store: f.lineage}
		if store, err = l.open(ctx); err != nil {
			return nil, closing, err
		}
		closing = func() { _ = store.Close() } // nothing was written
	}
	s, err = c.Prepare(ctx, store, time.Now)
	return s, closing, err
}

// listing is the answer of ls.
type listing struct {
	Meant     []fleet.Selected  `json:"meant"`
	Unknown   []fleet.Selected  `json:"unknown"`
	Unreached []fleet.Unreached `json:"unreached"`
}

func (f *fleetCommand) ls() *cobra.Command {
	var condition string
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "Show who would be hit by a condition, and why",
		Long: `Show who would be hit by a condition, and why. Instances of whose images nothing is known are listed as unknown where
the answer hinges on it. The exit code is 1 where instances are unknown or a host does not answer.`,
		Example: `  plimsoll fleet ls --lineage lineage.db --where 'carries("libssl3", "<3.0.14") && namespace == "shop"'`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			selector, closing, err := f.selector(cmd.Context(), condition)
			defer closing()
			if err != nil {
				return fmt.Errorf("--where: %w", err)
			}
			inventory, done, err := f.inventory(cmd.Context())
			defer done()
			if err != nil {
				return err
			}
			all := inventory.Instances()
			if err := selector.Know(cmd.Context(), all); err != nil {
				return err
			}
			l := listing{Unreached: inventory.Unreached()}
			l.Meant, l.Unknown = fleet.Select(all, selector)
			if err := f.answer(cmd, l, l.write); err != nil {
				return err
			}
			if len(l.Unknown)+len(l.Unreached) > 0 {
				return answerError("this is not all there is")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&condition, "where", "true", "the condition")
	return cmd
}

func (f *fleetCommand) inventory(ctx context.Context) (*fleet.Inventory, func(), error) {
	places, closing, err := f.places()
	if err != nil {
		return nil, closing, err
	}
	inventory := fleet.NewInventory(places...)
	_ = inventory.Refresh(ctx, 0) // who does not answer is in the inventory
	return inventory, closing, ctx.Err()
}

func (l listing) write(w io.Writer, style console.Style) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(mark string, s fleet.Selected) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", mark, console.Clean(s.Instance.Label()), console.Clean(s.Instance.Image.Ref), console.Clean(strings.Join(s.Why, "; ")))
	}
	for _, s := range l.Meant {
		row("meant", s)
	}
	for _, s := range l.Unknown {
		row("unknown", s)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, u := range l.Unreached {
		fmt.Fprintf(w, "%s %s: %s\n", style.Bad("unreached"), console.Clean(u.Place), console.Clean(u.Error))
	}
	_, err := fmt.Fprintf(w, "%d meant, %d unknown, %d places unreached\n", len(l.Meant), len(l.Unknown), len(l.Unreached))
	return err
}

// ordering is what the flags of run say.
type ordering struct {
	transcript, rights  string
	approvals           []string
	approvers           string
	dryRun, watch, undo bool
}

func (f *fleetCommand) run() *cobra.Command {
	var o ordering
	cmd := &cobra.Command{
		Use:   "run REMEDY.yaml",
		Short: "Run a remedy in everything that its condition means",
		Long: `Run a remedy in everything that its condition means: a canary first, then in waves, within the remedy's limits, until
it is done or the breaker opens. Begin with --dry-run.

The transcript is kept in the directory of --transcript, as a hash-chained audit log. Each step is on disk before it is
taken. Interrupted, the run begins nothing more, lets what was begun come to its end, and says where everything stands.
The same command again does only what is missing. With --watch it goes on until the remedy expires: instances that start or
restart get the remedy too.

Secrets that the remedy names are taken from the environment. The exit code is 0 when everything meant is done, 1 when
something is left, failed, unknown or unreached.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			remedy, err := readRemedy(args[0])
			if err != nil {
				return err
			}
			if o.undo {
				if remedy, err = remedy.Undoing(); err != nil {
					return err
				}
			}
			return f.order(cmd, remedy, o)
		},
	}
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "show what would be done, and do nothing")
	cmd.Flags().BoolVar(&o.watch, "watch", false, "go on with what starts, until the remedy expires")
	cmd.Flags().BoolVar(&o.undo, "undo", false, "run the remedy's undo command in everything that is meant")
	cmd.Flags().StringVar(&o.transcript, "transcript", "", "directory of the transcript (default plimsoll-transcript beside the remedy)")
	cmd.Flags().StringVar(&o.rights, "rights", "", "file that says who may order what; without it everything is allowed")
	cmd.Flags().StringArrayVar(&o.approvals, "approval", nil, "file with a second person's approval (may be repeated)")
	cmd.Flags().StringVar(&o.approvers, "approvers", "", "list of the keys of those who may approve, by their names")
	cmd.Flags().StringVar(&f.by, "by", "", "who orders it (default the user that runs this)")
	return cmd
}

func (f *fleetCommand) order(cmd *cobra.Command, remedy fleet.Remedy, o ordering) error {
	ctx := cmd.Context()
	selector, closing, err := f.selector(ctx, remedy.Where)
	defer closing()
	if err != nil {
		return fmt.Errorf("where: %w", err)
	}
	order := fleet.Order{Remedy: remedy, Selector: selector, By: f.by, Watch: o.watch, Secrets: map[string]string{}}
	if order.By == "" {
		me, err := user.Current()
		if err != nil {
			return fmt.Errorf("who orders this? name them with --by: %w", err)
		}
		order.By = me.Username
	}
	for _, name := range remedy.Secrets {
		order.Secrets[name] = os.Getenv(name)
	}
	if order.Approvals, err = approvals(ctx, o.approvals, o.approvers); err != nil {
		return err
	}
	runner := &fleet.Runner{Result: f.streaming(cmd)}
	if o.rights != "" {
		var done func()
		runner.Rights, done, err = f.rights(ctx, o.rights)
		defer done()
		if err != nil {
			return err
		}
	}
	places, done, err := f.places()
	defer done()
	if err != nil {
		return err
	}
	runner.Inventory = fleet.NewInventory(places...)
	if o.watch && !o.dryRun {
		ready := make(chan struct{})
		following, stop := context.WithCancel(ctx)
		defer stop()
		go runner.Inventory.Follow(following, func() { close(ready) })
		<-ready
	} else {
		_ = runner.Inventory.Refresh(ctx, 0) // who does not answer is in the plan and in the transcript
	}
	if o.dryRun {
		return f.plan(cmd, runner, order)
	}
	dir := o.transcript
	if dir == "" {
		dir = filepath.Join(filepath.Dir(cmd.Flags().Arg(0)), "plimsoll-transcript")
	}
	if runner.Log, err = audit.Open(dir, audit.Options{Name: "remedies"}); err != nil {
		return err
	}
	defer runner.Log.Close()
	transcript, err := runner.Run(ctx, order)
	if transcript == nil {
		return err
	}
	return errors.Join(err, f.told(cmd, transcript))
}

// rights reads who may order what.
func (f *fleetCommand) rights(ctx context.Context, path string) (*fleet.Rights, func(), error) {
	var all []func()
	closing := func() {
		for _, c := range all {
			c()
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, closing, err
	}
	rights, err := fleet.ParseRights(path, text, func(condition string) (fleet.Selector, error) {
		s, done, err := f.selector(ctx, condition)
		all = append(all, done)
		return s, err
	})
	return rights, closing, err
}

// streaming shows results as they come.
func (f *fleetCommand) streaming(cmd *cobra.Command) func(fleet.Result) {
	if f.quiet || f.json {
		return nil
	}
	w := cmd.ErrOrStderr()
	style := console.StyleFor(w)
	return func(r fleet.Result) { fmt.Fprintln(w, line(r, style)) }
}

func line(r fleet.Result, style console.Style) string {
	mark := style.Bad(string(r.Outcome))
	if r.Outcome == fleet.Done || r.Outcome == fleet.Already {
		mark = style.Good(string(r.Outcome))
	}
	text := mark + " " + console.Clean(r.Instance.Label())
	if r.Reason != "" {
		text += ": " + console.Clean(r.Reason)
	}
	return text
}

// plan shows what would be done.
func (f *fleetCommand) plan(cmd *cobra.Command, runner *fleet.Runner, order fleet.Order) error {
	plan, err := runner.Plan(cmd.Context(), order)
	if err != nil {
		return err
	}
	return f.answer(cmd, plan, func(w io.Writer, style console.Style) error {
		if err := (listing{plan.Meant, plan.Unknown, plan.Unreached}).write(w, style); err != nil {
			return err
		}
		for _, r := range plan.Refused {
			fmt.Fprintln(w, line(r, style))
		}
		_, err := fmt.Fprintf(w, "waves of %v; nothing was done\nthe remedy has digest %s\n", plan.Waves, plan.Digest)
		return err
	})
}

// told writes a transcript as the answer. What is not done makes the exit code 1.
func (f *fleetCommand) told(cmd *cobra.Command, t *fleet.Transcript) error {
	err := f.answer(cmd, t, func(w io.Writer, _ console.Style) error {
		_, err := fmt.Fprintln(w, t.Summary())
		return err
	})
	if err == nil && !t.Complete() {
		err = answerError("not everything is done")
		if t.Stopped != "" {
			err = answerError("stopped: " + t.Stopped + "; run it again to go on")
		}
	}
	return err
}

func (f *fleetCommand) report() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "report TRANSCRIPT",
		Short: "Write the transcript of the last run as text, JSON, JUnit or HTML, and check its chain",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			write, ok := fleet.Formats()[format]
			if f.json {
				write, ok = fleet.Formats()["json"], true
			}
			if !ok {
				return fmt.Errorf("--format %q is none of text, json, junit, html", format)
			}
			log := os.DirFS(args[0])
			verified, err := audit.Verify(log, audit.VerifyOptions{})
			if err != nil {
				return err
			}
			if len(verified.Findings) > 0 {
				return fmt.Errorf("the transcript was tampered with: %s", verified.Findings[0])
			}
			all, err := fleet.Transcripts(log)
			if err != nil {
				return err
			}
			if len(all) == 0 {
				return fmt.Errorf("%s has no run", args[0])
			}
			return write(cmd.OutOrStdout(), all[len(all)-1])
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text, json, junit or html")
	return cmd
}
