package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/move"
	"github.com/plimsoll-dev/plimsoll/sdk/notify/outbox"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

// mover is a run of the subcommand move.
type mover struct {
	src     source
	from    trust
	targets targeting
	tell    telling
	follow  following

	catalog, state, patches string
	workers                 int
	apply                   bool
}

func newMove(out *output) *cobra.Command {
	m := &mover{}
	cmd := &cobra.Command{
		Use:   "move --catalog CATALOG",
		Short: "Show which bases the catalog moves, in one repository or in many, and follow it up",
		Long: `Show which bases the catalog moves, and to what, as patches: a dry run that changes nothing. Many repositories come from
a list (a line for each: REPOSITORY [DIRECTORY [DOCKERFILE]]) or from an organisation of a forge. What was done before is
found in the repositories, so that a second run does only what is new.

--apply writes the change into the work tree of a local repository, --push-branch puts it on a branch of its own,
--pull-request opens a request for that, --notify tells the teams. A repository that fails stops no other.

A token for the forge comes from --token-file, or else from PLIMSOLL_TOKEN. It is shown to the forge's own host only.
Repositories over SSH (ssh://... or git@host:path) take --ssh-key or --ssh-agent; servers must be among the known hosts.

Exit codes: 0 all is well, 1 definitions would be refused, 2 some could not be looked at or followed up.`,
		Example: `  plimsoll move --catalog catalog.yaml
  plimsoll move --catalog catalog.yaml --apply
  plimsoll move --catalog catalog.yaml --list repositories.txt --patches patches --json > moves.json
  plimsoll move --catalog catalog.yaml --repo git@git.example:team/pay.git --ssh-key robot.key --push-branch
  plimsoll move --catalog catalog.yaml --forge github --owner acme --pull-request --notify notify.yaml --secrets secrets`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return m.run(cmd, out) },
	}
	f := cmd.Flags()
	f.StringVar(&m.catalog, "catalog", "", homes.CatalogHelp)
	_ = cmd.MarkFlagRequired("catalog")
	m.targets.flags(cmd)
	m.follow.flags(cmd)
	m.tell.flags(cmd)
	f.StringSliceVar(&m.src.platforms, "platform", nil, "target platforms, such as linux/amd64,linux/arm64 (default: this machine's)")
	f.StringSliceVar(&m.src.plainHTTP, "plain-http", nil, "registries that may be spoken to without TLS, HOST[:PORT]")
	f.IntVar(&m.workers, "workers", 8, "how many repositories to look at at the same time")
	f.StringVar(&m.patches, "patches", "", "directory to write a patch for each definition to")
	f.BoolVar(&m.apply, "apply", false, "write the change into the work tree")
	f.StringVar(&m.state, "state", "", "directory for caches and the outbox (default: plimsoll in the user's cache directory)")
	m.from.flags(cmd)
	return cmd
}

// moved is what became of one definition.
type moved struct {
	move.Result
	State string `json:"state"` // moved, unchanged, refused, failed
	Error string `json:"error,omitempty"`
	followed
}

func (m *mover) run(cmd *cobra.Command, out *output) (err error) {
	client := m.src.registry()
	defer client.Close()
	cat, err := m.from.load(cmd.Context(), m.catalog, m.state, client)
	if err != nil {
		return err
	}
	if err := m.follow.prepare(cmd.Context(), &m.targets, cat.Document().Owners); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.targets.close()) }()
	state, err := homes.StateDir(m.state, "plimsoll")
	if err != nil {
		return err
	}
	box, err := m.tell.open(cmd, state)
	if err != nil {
		return err
	}
	if box != nil {
		defer func() { err = errors.Join(err, box.Close()) }()
	}
	survey := &move.Survey{Catalog: cat, Registry: homes.CatalogFacts(client), Platforms: m.src.platforms, Workers: m.workers, Login: m.targets.login}
	survey.Load.CacheDir, survey.Load.Compilers = filepath.Join(state, "git"), homes.Compilers(cat)

	progress := out.progress(cmd)
	all, err := m.look(cmd.Context(), survey, box, progress)
	progress.Close()
	slices.SortFunc(all, func(a, b moved) int { return strings.Compare(a.Target.String(), b.Target.String()) })
	if box != nil {
		err = errors.Join(err, sendWaiting(cmd, box, 30*time.Second))
	}
	shown := out.answer(cmd, map[string]any{"definitions": all}, func(w io.Writer, style console.Style) error { return table(w, style, all) })
	return errors.Join(err, shown, verdict(all))
}

// look surveys the targets and follows up what it finds, both concurrently.
func (m *mover) look(ctx context.Context, survey *move.Survey, box *outbox.Outbox, progress *console.Progress) ([]moved, error) {
	var mu sync.Mutex
	var all []moved
	var listing error
	counts := map[string]int{}
	last := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(m.workers, 1))
	targets := func(yield func(move.Target) bool) {
		for t, err := range m.targets.all(ctx) {
			if err != nil {
				listing = err
				return
			}
			if !yield(t) {
				return
			}
		}
	}
	err := survey.Run(ctx, iter.Seq[move.Target](targets), func(r move.Result) error {
		group.Go(func() error {
			done := m.done(ctx, r, box)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, done)
			counts[done.State]++
			if time.Since(last) > time.Second {
				last = time.Now()
				progress.Event(pipeline.Event{Stage: "move", State: pipeline.Progressed, Message: fmt.Sprintf(
					"%d definitions: %d moved, %d unchanged, %d refused, %d failed", len(all), counts["moved"], counts["unchanged"], counts["refused"], counts["failed"])})
			}
			return nil
		})
		return nil
	})
	return all, errors.Join(group.Wait(), err, listing)
}

// done follows up one result.
func (m *mover) done(ctx context.Context, r move.Result, box *outbox.Outbox) moved {
	d := moved{Result: r, State: "unchanged"}
	var err error
	switch {
	case r.Err != nil:
		err = r.Err
	case len(r.Refused) > 0:
		d.State = "refused"
	case r.Move != nil:
		d.State = "moved"
		err = m.patch(r)
		if err == nil && m.apply {
			err = applyTo(r)
		}
		if err == nil {
			d.followed, err = m.follow.up(ctx, r, &m.targets)
		}
		if box != nil { // also when the branch could not be pushed: the build moves all the same
			err = errors.Join(err, m.follow.tell(ctx, r, d.followed, box))
		}
	}
	if err != nil {
		d.State, d.Error = "failed", err.Error()
	}
	return d
}

// verdict says how the command ends.
func verdict(all []moved) error {
	failed := 0
	var refused []finding.Finding
	for _, d := range all {
		if d.State == "failed" {
			failed++
		}
		refused = append(refused, d.Refused...)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d definitions failed", failed, len(all))
	}
	return finding.Gate(refused, finding.Error)
}

func table(w io.Writer, style console.Style, all []moved) error {
	var errs []error
	say := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format, args...)
		errs = append(errs, err)
	}
	for _, d := range all {
		name := console.Clean(d.Target.String())
		switch d.State {
		case "moved":
			say("%s %s\n", style.Note("moved    "), name)
			for _, b := range d.Move.Bases {
				say("          %s: %s (%s)\n", b.Place, b, console.Clean(b.Reason))
			}
			if len(all) == 1 {
				say("%s", console.Clean(d.Move.Diff))
			}
			if d.Move.NoDiff != "" {
				say("          no patch: %s\n", console.Clean(d.Move.NoDiff))
			}
			say("%s", d.String())
		case "refused":
			say("%s %s: %s\n", style.Bad("refused  "), name, console.Clean(d.Refused[0].String()))
		case "failed":
			say("%s %s: %s\n", style.Bad("failed   "), name, console.Clean(d.Error))
		default:
			say("%s %s\n", style.Good("unchanged"), name)
		}
	}
	return errors.Join(errs...)
}

// patch writes a definition's patch to the directory for them.
func (m *mover) patch(r move.Result) error {
	if m.patches == "" || r.Move.Diff == "" {
		return nil
	}
	if err := os.MkdirAll(m.patches, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(m.patches)
	if err != nil {
		return err
	}
	defer root.Close()
	name := strings.Map(func(c rune) rune {
		if strings.ContainsRune(`/\: `, c) || c < ' ' {
			return '-'
		}
		return c
	}, strings.TrimPrefix(r.Move.Source.Repository, "https://")+"-"+r.Move.File)
	name = strings.TrimLeft(name, "-.")
	if len(name) > 150 {
		name = name[len(name)-150:]
	}
	return root.WriteFile(fmt.Sprintf("%s-%.8s.patch", name, r.Move.Key()), []byte(r.Move.Diff), 0o644)
}

// applyTo writes the change into the work tree that the definition was read from.
func applyTo(r move.Result) error {
	if strings.Contains(r.Target.Repository, "://") {
		return errors.New("--apply changes work trees on this machine; for a server there is --push-branch")
	}
	if r.Move.Diff == "" {
		return fmt.Errorf("%w: %s", move.ErrNoDiff, r.Move.NoDiff)
	}
	root, err := os.OpenRoot(r.Target.Repository)
	if err != nil {
		return err
	}
	defer root.Close()
	now, err := root.ReadFile(r.Move.File)
	if err != nil {
		return err
	}
	if string(now) != string(r.Move.Original()) {
		return fmt.Errorf("%s is not what was looked at; commit its changes first", r.Move.File)
	}
	info, err := root.Stat(r.Move.File)
	if err != nil {
		return err
	}
	temp := r.Move.File + ".plimsoll"
	if err := root.WriteFile(temp, r.Move.Text(), info.Mode().Perm()); err != nil {
		return errors.Join(err, root.Remove(temp))
	}
	return root.Rename(temp, r.Move.File)
}
