package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
)

// Start begins the campaign of a ban: what it means is written down, and [Engine.Run] does the rest. One that was begun
// before is returned as it is.
func (e *Engine) Start(ctx context.Context, ban, by string) (*State, error) {
	if _, err := e.path(ban); err != nil {
		return nil, err
	}
	if by == "" {
		return nil, fmt.Errorf("campaign %s: %w: say who starts it", ban, ErrInvalid)
	}
	e.files.mu.Lock()
	defer e.files.mu.Unlock()
	if s, err := e.State(ban); !errors.Is(err, ErrNotFound) {
		return s, err
	}
	preview, err := Look(ctx, e.parts, ban)
	if err != nil {
		return nil, err
	}
	if preview.Effect == catalog.EffectLifted {
		return nil, fmt.Errorf("campaign %s: %w: the ban was lifted", ban, ErrInvalid)
	}
	s := &State{Version: 1, Campaign: ban, By: by, Phase: Running, Preview: preview, Timeline: Timeline{Banned: e.parts.Now().UTC()}}
	for _, name := range []string{StepDeny, StepTell, StepReplace, StepRemedy, StepProve} {
		s.Steps = append(s.Steps, Step{Name: name, State: Waiting})
	}
	for name, missing := range map[string]string{
		StepTell:    map[bool]string{true: "nobody is set up to be told"}[e.parts.Notifier == nil],
		StepReplace: map[bool]string{true: preview.NoStorm}[preview.Storm == nil || e.parts.Storm == nil],
		StepRemedy:  map[bool]string{true: "there are no remedies"}[e.parts.Remedy == nil],
	} {
		if missing != "" {
			step := s.Step(name)
			step.State, step.Note = Skipped, missing
		}
	}
	if s.Graph, err = e.graph(ctx, ban); err != nil {
		return nil, err
	}
	if err := e.record(by, "campaign.start", ban, map[string]string{"reason": preview.Ban.Reason, "images": fmt.Sprint(preview.Images)}); err != nil {
		return nil, err
	}
	return s, e.write(s)
}

// drawn is how many images a report's graph has at most.
const drawn = 120

func (e *Engine) graph(ctx context.Context, ban string) (*lineage.Graph, error) {
	cat, err := e.parts.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	b, err := find(cat, ban)
	if err != nil || b.Package != nil {
		return nil, err
	}
	graph, err := lineage.GraphOf(ctx, e.parts.Lineage, lineage.OfBan(b), lineage.Options{Self: true}, drawn)
	return &graph, err
}

// record writes into the audit log before anything is done: what can't be recorded is not done.
func (e *Engine) record(by, action, campaign string, detail map[string]string) error {
	if e.parts.Log == nil {
		return nil
	}
	_, err := e.parts.Log.Append(audit.Event{Actor: by, Action: action, Object: "campaign/" + campaign, Outcome: audit.Allowed, Detail: detail})
	return err
}

// Run goes on with a campaign until it is over, or ctx ends, which is no error: the state says how far it is. A step that
// meets a fault is tried again at every poll, and keeps no other waiting.
func (e *Engine) Run(ctx context.Context, campaign string) (*State, error) {
	for {
		s, err := e.State(campaign)
		if err != nil || s.Phase.Over() {
			return s, err
		}
		if s.Phase == Running {
			if err := e.advance(ctx, s); err != nil {
				return s, err
			}
			if s, err = e.State(campaign); err != nil || s.Phase.Over() {
				return s, err
			}
		}
		select {
		case <-ctx.Done():
			return s, nil
		case <-time.After(e.parts.Poll):
		}
	}
}

// advance takes every step that can be taken. Its error is one of keeping the state.
func (e *Engine) advance(ctx context.Context, s *State) error {
	cat := e.catalog(ctx, s.Campaign)
	if cat == nil {
		return nil // as it is; again at the next poll
	}
	ban, err := find(cat, s.Campaign)
	if err != nil || ban.Effect(e.parts.Now()) == catalog.EffectLifted {
		return e.lift(ctx, s, cat)
	}
	if err := e.take(ctx, s, StepDeny, func(ctx context.Context) (bool, string, error) { return e.deny(ctx, s.Campaign, cat) }); err != nil {
		return err
	}
	if s, err = e.State(s.Campaign); err != nil || !s.Step(StepDeny).Over() {
		return err
	}
	var (
		group sync.WaitGroup
		errs  = make([]error, 3)
	)
	for i, step := range []struct {
		name string
		do   func(context.Context) (bool, string, error)
	}{
		{StepTell, func(ctx context.Context) (bool, string, error) { return e.tell(ctx, s) }},
		{StepReplace, func(ctx context.Context) (bool, string, error) { return e.replace(ctx, s, cat) }},
		{StepRemedy, func(ctx context.Context) (bool, string, error) { return e.remedy(ctx, s) }},
	} {
		group.Go(func() { errs[i] = e.take(ctx, s, step.name, step.do) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if s, err = e.State(s.Campaign); err != nil {
		return err
	}
	return e.take(ctx, s, StepProve, func(ctx context.Context) (bool, string, error) { return e.prove(ctx, s) })
}

// catalog is the one of now, or nil if it can't be read.
func (e *Engine) catalog(ctx context.Context, campaign string) *catalog.Catalog {
	cat, err := e.parts.Catalog(ctx)
	if err != nil {
		e.parts.Warn.WarnContext(ctx, "campaign: the catalog cannot be read", "campaign", campaign, "error", err)
		return nil
	}
	return cat
}

// take does a step unless it is over, and keeps what came of it.
func (e *Engine) take(ctx context.Context, s *State, name string, do func(context.Context) (over bool, note string, err error)) error {
	if s.Step(name).Over() || ended(ctx) {
		return nil
	}
	began := e.parts.Now().UTC()
	over, note, err := do(ctx)
	if ended(ctx) && !over {
		return nil
	}
	if err != nil {
		e.parts.Warn.WarnContext(ctx, "campaign: a step is tried again", "campaign", s.Campaign, "step", name, "error", err)
	}
	if over {
		if err := e.record("plimsoll", "campaign."+name, s.Campaign, map[string]string{"note": note}); err != nil {
			return err
		}
	}
	_, err = e.update(s.Campaign, func(s *State) error {
		step := s.Step(name)
		if step.Over() { // somebody skipped it meanwhile
			return nil
		}
		if step.Began.IsZero() {
			step.Began = began
		}
		step.State, step.Fault = Underway, ""
		if note != "" {
			step.Note = note
		}
		if err != nil {
			step.Fault = err.Error()
			step.Faults++
		}
		if over {
			step.State, step.Ended = Done, e.parts.Now().UTC()
		}
		return nil
	})
	return err
}

// ended says whether nothing more is to be done in this process: what is under way is taken up by the next.
func ended(ctx context.Context) bool { return ctx.Err() != nil }

func (e *Engine) deny(ctx context.Context, campaign string, cat *catalog.Catalog) (bool, string, error) {
	version, err := e.publish(ctx, campaign, cat)
	return err == nil, fmt.Sprintf("deny bundle %d is out", version), err
}

func (e *Engine) publish(ctx context.Context, campaign string, cat *catalog.Catalog) (uint64, error) {
	version, err := e.parts.Deny(ctx, cat)
	if err != nil {
		return 0, err
	}
	_, err = e.update(campaign, func(s *State) error {
		s.Bundle = max(s.Bundle, version)
		if s.Timeline.Denied.IsZero() {
			s.Timeline.Denied = e.parts.Now().UTC()
		}
		return nil
	})
	return version, err
}

// tell tells each owner once: the event is the same each time, and who takes events knows it again.
func (e *Engine) tell(ctx context.Context, s *State) (bool, string, error) {
	p := s.Preview
	for _, owner := range p.Owners {
		data, err := json.Marshal(struct {
			Campaign string `json:"campaign"`
			Owner
			Ban catalog.Ban `json:"ban"`
		}{s.Campaign, owner, p.Ban})
		if err != nil {
			return false, "", err
		}
		event := notify.Event{
			ID: notify.ID(notify.IncidentDetected, s.Campaign, owner.Name), Kind: notify.IncidentDetected, Time: s.Timeline.Banned, Campaign: s.Campaign,
			Title: catalog.Printable(fmt.Sprintf("%s: %d of your images stand on what is banned, %d instances run", s.Campaign, owner.Images, owner.Running)),
			Text:  p.textFor(owner), Data: data,
		}
		if owner.Name != "" {
			event.Teams = []string{owner.Name}
		}
		if err := e.parts.Notifier.Notify(ctx, event); err != nil {
			return false, "", err
		}
	}
	return true, fmt.Sprintf("%d owners were told", len(p.Owners)), nil
}

// replace starts the storm and waits for its end; then the bundle has to know the new images.
func (e *Engine) replace(ctx context.Context, s *State, cat *catalog.Catalog) (bool, string, error) {
	if _, err := e.parts.Storm.Start(ctx, s.Preview.Storm); err != nil {
		return false, "", err
	}
	status, err := e.parts.Storm.Status(ctx, s.Campaign)
	if err != nil {
		return false, "", err
	}
	images, replaced, over := 0, 0, 0
	for _, w := range status.Waves {
		images, replaced, over = images+w.Images, replaced+w.Done, over+w.Over()
	}
	outcomes, err := e.parts.Storm.Outcomes(ctx, s.Campaign)
	if err != nil {
		return false, "", err
	}
	_, err = e.update(s.Campaign, func(s *State) error {
		s.Outcomes = outcomes
		now := e.parts.Now().UTC()
		if s.Timeline.HalfReplaced.IsZero() && images > 0 && 2*replaced >= images {
			s.Timeline.HalfReplaced = now
		}
		if s.Timeline.AllReplaced.IsZero() && status.State == runner.Done {
			s.Timeline.AllReplaced = now
		}
		return nil
	})
	if err != nil {
		return false, "", err
	}
	note := fmt.Sprintf("%d of %d images are replaced, %d are left", replaced, images, over-replaced)
	if status.State == runner.Paused {
		note += "; the storm is paused: " + status.Reason
	}
	if !status.State.Over() {
		return false, note, nil
	}
	if _, err := e.publish(ctx, s.Campaign, cat); err != nil {
		return false, note, err
	}
	return true, note, nil
}

func (e *Engine) remedy(ctx context.Context, s *State) (bool, string, error) {
	remedied, err := e.parts.Remedy(ctx, s.Campaign)
	if err != nil {
		return false, "", err
	}
	_, err = e.update(s.Campaign, func(s *State) error {
		s.Remedied = remedied
		return nil
	})
	// What starts later needs it too, so it goes on until all is safe.
	return false, fmt.Sprintf("a remedy is in force in %d instances", len(remedied)), err
}

func (e *Engine) prove(ctx context.Context, s *State) (bool, string, error) {
	safety := e.measure(ctx, s)
	first := time.Time{}
	if e.parts.Refused != nil && s.Timeline.FirstRefusal.IsZero() {
		var err error
		if first, err = e.parts.Refused(ctx, s.Campaign); err != nil {
			e.parts.Warn.WarnContext(ctx, "campaign: refusals cannot be read", "campaign", s.Campaign, "error", err)
		}
	}
	over := safety.Safe() && s.Step(StepTell).Over() && s.Step(StepReplace).Over()
	_, err := e.update(s.Campaign, func(s *State) error {
		s.Safety = safety
		if !first.IsZero() && s.Timeline.FirstRefusal.IsZero() {
			s.Timeline.FirstRefusal = first.UTC()
		}
		if over {
			s.Phase, s.Timeline.AllSafe = Safe, safety.At
			if r := s.Step(StepRemedy); !r.Over() {
				r.State, r.Ended = Done, safety.At
			}
		}
		return nil
	})
	return over && err == nil, safety.String(), err
}

// lift ends a campaign whose ban was taken back: what waits is not done, and the bundle lets the images start again.
func (e *Engine) lift(ctx context.Context, s *State, cat *catalog.Catalog) error {
	if s.Preview.Storm != nil && e.parts.Storm != nil {
		if _, err := e.parts.Storm.Cancel(ctx, s.Campaign, "the ban was lifted"); err != nil && !errors.Is(err, runner.ErrNotFound) {
			e.parts.Warn.WarnContext(ctx, "campaign: the storm cannot be cancelled", "campaign", s.Campaign, "error", err)
			return nil
		}
	}
	if _, err := e.publish(ctx, s.Campaign, cat); err != nil {
		e.parts.Warn.WarnContext(ctx, "campaign: the bundle without the ban is not out", "campaign", s.Campaign, "error", err)
		return nil
	}
	if err := e.record("plimsoll", "campaign.lifted", s.Campaign, nil); err != nil {
		return err
	}
	_, err := e.update(s.Campaign, func(s *State) error {
		s.Phase = Lifted
		for i := range s.Steps {
			if step := &s.Steps[i]; !step.Over() {
				step.State, step.Note = Skipped, "the ban was lifted"
			}
		}
		return nil
	})
	return err
}

// Pause begins nothing new, in the storm neither. What is under way is finished.
func (e *Engine) Pause(ctx context.Context, campaign, by, reason string) (*State, error) {
	return e.turn(ctx, campaign, by, reason, "campaign.pause", Running, Paused)
}

// Resume goes on with a campaign that was paused.
func (e *Engine) Resume(ctx context.Context, campaign, by, reason string) (*State, error) {
	return e.turn(ctx, campaign, by, reason, "campaign.resume", Paused, Running)
}

func (e *Engine) turn(ctx context.Context, campaign, by, reason, action string, from, to Phase) (*State, error) {
	s, err := e.decide(campaign, by, reason, action, func(s *State) error {
		if s.Phase != from {
			return fmt.Errorf("campaign %s: %w: it is %s, not %s", campaign, ErrInvalid, s.Phase, from)
		}
		s.Phase = to
		return nil
	})
	if err != nil || e.parts.Storm == nil {
		return s, err
	}
	storm := e.parts.Storm.Pause
	if to == Running {
		storm = e.parts.Storm.Resume
	}
	if _, err := storm(ctx, campaign, by); err != nil && !errors.Is(err, runner.ErrNotFound) {
		return s, err
	}
	return s, nil
}

// Skip leaves a step undone. The proof can't be skipped: what is not measured is not safe. Nor can the ban itself, which is
// lifted in the catalog instead.
func (e *Engine) Skip(campaign, step, by, reason string) (*State, error) {
	return e.decide(campaign, by, reason, "campaign.skip", func(s *State) error {
		if step != StepTell && step != StepReplace && step != StepRemedy {
			return fmt.Errorf("campaign %s: step %q: %w: what can be skipped is %s, %s and %s", campaign, step, ErrInvalid, StepTell, StepReplace, StepRemedy)
		}
		skipped := s.Step(step)
		if skipped.Over() {
			return fmt.Errorf("campaign %s: step %s: %w: it is %s", campaign, step, ErrInvalid, skipped.State)
		}
		skipped.State, skipped.Ended, skipped.Note = Skipped, e.parts.Now().UTC(), "by "+by+": "+reason
		return nil
	})
}

// decide changes a campaign on somebody's word, which is recorded first.
func (e *Engine) decide(campaign, by, reason, action string, change func(*State) error) (*State, error) {
	if by == "" || reason == "" {
		return nil, fmt.Errorf("campaign %s: %w: say who decides it and why", campaign, ErrInvalid)
	}
	return e.update(campaign, func(s *State) error {
		if s.Phase.Over() {
			return fmt.Errorf("campaign %s: %w: it is over (%s)", campaign, ErrInvalid, s.Phase)
		}
		if err := change(s); err != nil {
			return err
		}
		return e.record(by, action, campaign, map[string]string{"reason": reason})
	})
}

// Left are the images that the storm did not replace, with why.
func (s *State) Left() []runner.Outcome {
	var left []runner.Outcome
	for _, o := range s.Outcomes {
		if o.State == "failed" || o.State == "left" || o.State == "cancelled" {
			left = append(left, o)
		}
	}
	return left
}

// Replaced counts the images that were rebased and built again.
func (s *State) Replaced() (rebased, rebuilt int) {
	for _, o := range s.Outcomes {
		switch {
		case o.State == "done" && o.Did == rebuild.DoRebase:
			rebased++
		case o.State == "done":
			rebuilt++
		}
	}
	return rebased, rebuilt
}
