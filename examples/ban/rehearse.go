package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/agent"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/keys"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/campaign"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
)

// stage is what the rehearsal plays on.
type stage struct {
	*world
	*options

	out      io.Writer
	style    console.Style
	host     *host // nil without Docker
	store    *agent.Store
	gate     *admission.Gate
	storm    *runner.Runner
	log      *audit.Log
	version  atomic.Uint64
	refused  atomic.Pointer[time.Time]
	mu       sync.Mutex
	messages []notify.Event
}

func rehearse(cmd *cobra.Command, o options) (err error) {
	ctx := cmd.Context()
	state, err := homes.StateDir(o.state, filepath.Join("plimsoll", "ban"))
	if err != nil {
		return err
	}
	if o.report == "" {
		o.report = filepath.Join(state, "report.html")
	}
	out := cmd.ErrOrStderr()
	s := &stage{options: &o, out: out, style: console.StyleFor(out)}
	if o.quiet {
		s.out = io.Discard
	}
	s.say("Setting up: a registry on loopback, two versions of a base, BuildKit in this process")
	if s.world, err = newWorld(ctx, state); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if !o.noDocker {
		s.host = newHost(ctx)
	}
	if s.host != nil {
		defer func() { err = errors.Join(err, s.host.close()) }()
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.shut()) }()
	if err := s.everyday(ctx); err != nil {
		return err
	}
	result, err := s.ban(ctx)
	if err != nil {
		return err
	}
	return s.finish(cmd.OutOrStdout(), result)
}

func (s *stage) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// open opens what is there before any ban: the start check of this host, the storm and the audit log.
func (s *stage) open(ctx context.Context) (err error) {
	trusted := attest.Keys{{Name: "ops", Key: s.key.Public()}}
	if s.store, err = agent.Open(filepath.Join(s.dir.Path, "agent"), agent.Options{Name: "rehearsal", Verifier: keys.Verifier(trusted, time.Now)}); err != nil {
		return err
	}
	s.gate = admission.NewGate(admission.Options{Bundles: s.store, Name: "this host"})
	if s.log, err = audit.Open(filepath.Join(s.dir.Path, "audit"), audit.Options{Name: "rehearsal"}); err != nil {
		return err
	}
	s.storm, err = runner.Open(ctx, runner.Options{
		Database: filepath.Join(s.dir.Path, "storm.db"), Registry: s.client, Lineage: s.lineage, Workers: 4,
		Engines:  []runner.Engine{{Name: "embedded", Slots: 2, Rebuilder: runner.RebuilderFunc(s.rebuild)}},
		Evidence: &runner.Evidence{Signer: s.key, Store: s.evidence, Trust: trusted, Builder: builder, Now: time.Now},
		Notifier: notify.Func(s.tell),
	})
	return err
}

func (s *stage) shut() error {
	var errs []error
	if s.storm != nil {
		errs = append(errs, s.storm.Close())
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}

// rebuild builds an image again from its commit; the catalog moves its base.
func (s *stage) rebuild(ctx context.Context, r runner.Request) (string, error) {
	for i := range s.images {
		if r.Item.Repository == s.registry.Host+"/team/"+name(i) {
			d, err := s.deliver(ctx, i, r.Item.Definition.Commit)
			if err != nil {
				return "", err
			}
			return d.Reference, s.owned(ctx, d.Reference, owner(i))
		}
	}
	return "", fmt.Errorf("%s is none of the rehearsal's", r.Item.Repository)
}

func (s *stage) tell(_ context.Context, e notify.Event) error {
	if err := e.Check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, e)
	return nil
}

// everyday is how things are before: images are built and published, and some run.
func (s *stage) everyday(ctx context.Context) error {
	if err := s.define(s.images); err != nil {
		return err
	}
	s.say("Building %d images of %d teams on base/userland:12.8", s.images, len(owners))
	begin, built := time.Now(), atomic.Int64{}
	err := s.deliverAll(ctx, s.images, func() {
		if n := built.Add(1); n%10 == 0 {
			s.say("  %d of %d", n, s.images)
		}
	})
	if err != nil {
		return err
	}
	s.say("  built, signed and published in %s", console.Duration(time.Since(begin)))
	cat, err := s.catalog(ctx)
	if err != nil {
		return err
	}
	if _, err := s.deny(ctx, cat); err != nil {
		return err
	}
	if s.host == nil {
		s.say("No containers run: Docker does not answer, or was not wanted")
		return nil
	}
	s.say("Starting %d containers, each judged before it starts", s.containers)
	group, starting := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i := range s.containers {
		group.Go(func() error { return s.start(starting, i) })
	}
	return errors.Join(group.Wait(), s.inventory(ctx))
}

// parts join everything to one campaign.
func (s *stage) parts() campaign.Parts {
	parts := campaign.Parts{
		Catalog: s.catalog, Facts: homes.CatalogFacts(s.client), Lineage: s.lineage, Deny: s.deny, Storm: s.storm, Log: s.log,
		Planner: &storm.Planner{
			Lineage: s.lineage, Mover: s.storm.Mover(), Past: s.storm, Owners: owners,
			Policy: func(catalog.Project, string) rebuild.Policy { return rebuild.Policy{} },
		},
		Checks: func(ctx context.Context) ([]campaign.Check, error) {
			held, err := s.store.Current(ctx)
			if err != nil {
				return nil, err
			}
			return []campaign.Check{{Name: "this host", Version: held.Bundle.Header().Version, Seen: time.Now()}}, nil
		},
		Sweep: s.sweep,
		Resolve: func(ctx context.Context, ref string) (string, error) {
			desc, err := s.client.Head(ctx, ref)
			return desc.Digest.String(), err
		},
		Refused: func(context.Context, string) (time.Time, error) {
			if at := s.refused.Load(); at != nil {
				return *at, nil
			}
			return time.Time{}, nil
		},
		Notifier: notify.Func(s.tell), Poll: 200 * time.Millisecond,
	}
	if s.host != nil {
		parts.Remedy = s.remedied
	}
	return parts
}

// ban is the one act.
func (s *stage) ban(ctx context.Context) (*campaign.State, error) {
	s.banned = true
	s.say("\n%s", s.style.Bad("03:00. Ops bans base/userland:12.8."))
	begin := time.Now()
	preview, err := campaign.Look(ctx, s.parts(), ban)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := preview.Text(&text); err != nil {
		return nil, err
	}
	s.say("\nWhat it means, seen in %s with nothing changed:\n\n%s", console.Duration(time.Since(begin)), &text)
	engine, err := campaign.Open(filepath.Join(s.dir.Path, "campaigns"), s.parts())
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	if _, err := engine.Start(ctx, ban, "ana@example.com"); err != nil {
		return nil, err
	}
	s.say("Go. It takes no more than that.")
	running, stop := context.WithCancel(ctx)
	group, running := errgroup.WithContext(running)
	group.Go(func() error { return s.storm.Run(running) })
	group.Go(func() error { return s.knock(running) })
	group.Go(func() error { return s.follow(running, engine) })
	state, err := engine.Run(running, ban)
	stop()
	if err := errors.Join(err, group.Wait()); err != nil || s.host == nil {
		return state, err
	}
	// What a remedy holds is replaced all the same: it ends one day.
	if err := s.deploy(ctx, state); err != nil {
		return state, err
	}
	report, err := s.sweep(ctx)
	if err == nil {
		s.say("\nContainers are replaced too: %d run, %d of them denied.", len(report.Instances), report.Denied)
	}
	return state, err
}

// knock tries to start an image until it is refused.
func (s *stage) knock(ctx context.Context) error {
	images, err := s.runningOrBuilt(ctx)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if d := s.gate.Decide(ctx, images); d.Outcome == admission.Denied && len(d.Bans) > 0 {
			now := time.Now()
			s.refused.Store(&now)
			s.say("  %s a start: %s", s.style.Bad("refused"), d.Findings[0].Message)
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// follow shows what changes, and has whoever deploys take the new images.
func (s *stage) follow(ctx context.Context, engine *campaign.Engine) error {
	shown := map[string]string{}
	for ctx.Err() == nil {
		state, err := engine.State(ban)
		if err != nil {
			return err
		}
		for _, step := range state.Steps {
			line := fmt.Sprintf("  %-8s %s", step.Name, step.Note)
			if step.Fault != "" {
				line += "; " + s.style.Bad(step.Fault)
			}
			if step.Note+step.Fault != "" && shown[step.Name] != line {
				shown[step.Name] = line
				s.say("%s", line)
			}
		}
		if err := s.deploy(ctx, state); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

func (s *stage) finish(out io.Writer, state *campaign.State) error {
	var page bytes.Buffer
	if err := campaign.HTML(&page, state); err != nil {
		return err
	}
	if err := os.WriteFile(s.report, page.Bytes(), 0o644); err != nil {
		return err
	}
	if s.json {
		return campaign.JSON(out, state)
	}
	fmt.Fprintln(out)
	if err := state.Text(out); err != nil {
		return err
	}
	rebased, rebuilt := state.Replaced()
	told := 0
	for _, m := range s.messages {
		if m.Kind == notify.IncidentDetected || m.Kind == notify.IncidentReported {
			told++
		}
	}
	_, err := fmt.Fprintf(out, "\n%d images rebased and %d built again, %d messages to owners.\nThe report: %s\n", rebased, rebuilt, told, s.report)
	if err == nil && state.Phase != campaign.Safe {
		err = errors.New("the rehearsal ended before all was safe")
	}
	return err
}
