package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
)

// announce tells machines that an image was replaced. An event that gets lost because the process dies is in the summary.
func (r *Runner) announce(ctx context.Context, run *run, e ending) {
	if r.opts.Notifier == nil {
		return
	}
	data, err := json.Marshal(map[string]any{
		"campaign": run.campaign, "image": run.Reference(), "result": e.result, "how": e.verb, "tags": e.moved.Tags, "kept": e.moved.Kept, "owner": run.Owner,
	})
	if err == nil {
		err = r.opts.Notifier.Notify(ctx, notify.Event{
			ID: notify.ID(notify.ArtifactPublished, run.campaign, run.Reference(), e.result), Kind: notify.ArtifactPublished, Time: r.opts.Now().UTC(),
			Project: notify.Project{Repository: run.Definition.Repository}, Teams: teams(run.Owner), Campaign: run.campaign,
			Title: fmt.Sprintf("%s was replaced (%s)", run.Repository+":"+strings.Join(e.moved.Tags, ","), e.verb), Data: data,
		})
	}
	if err != nil {
		r.log.WarnContext(ctx, "not told", "image", run.Reference(), "error", err)
	}
}

func teams(owner string) []string {
	if owner == "" {
		return nil
	}
	return []string{owner}
}

// Summary is what a campaign came to for one owner: the data of the event that tells of it.
type Summary struct {
	Campaign string    `json:"campaign"`
	Because  string    `json:"because,omitempty"`
	State    State     `json:"state"`
	Owner    string    `json:"owner,omitempty"`
	Rebased  int       `json:"rebased"`
	Rebuilt  int       `json:"rebuilt"`
	Failed   []Outcome `json:"failed,omitempty"`
	// Left are images about which nothing was done, with why: somebody has to.
	Left []Outcome `json:"left,omitempty"`
}

// Summarize sums up for each owner what a campaign did, what failed and why, and what is left to whom.
func Summarize(s *Status, outcomes []Outcome) []Summary {
	of := map[string]*Summary{}
	var owners []string
	for _, o := range outcomes {
		sum := of[o.Owner]
		if sum == nil {
			sum = &Summary{Campaign: s.Campaign, Because: s.Because, State: s.State, Owner: o.Owner}
			of[o.Owner] = sum
			owners = append(owners, o.Owner)
		}
		switch {
		case o.State == done && o.Did == rebuild.DoRebase:
			sum.Rebased++
		case o.State == done:
			sum.Rebuilt++
		case o.State == failed:
			sum.Failed = append(sum.Failed, o)
		case o.State != superseded:
			sum.Left = append(sum.Left, o)
		}
	}
	slices.Sort(owners)
	var all []Summary
	for _, owner := range owners {
		all = append(all, *of[owner])
	}
	return all
}

// Text is the summary in lines.
func (s *Summary) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d images were rebased and %d built again.\n", s.Rebased, s.Rebuilt)
	for _, part := range []struct {
		title    string
		outcomes []Outcome
	}{{"Failed:", s.Failed}, {"Left to you:", s.Left}} {
		if len(part.outcomes) > 0 {
			fmt.Fprintln(&b, part.title)
		}
		for _, o := range part.outcomes {
			fmt.Fprintf(&b, "- %s:%s: %s\n", o.Repository, strings.Join(o.Tags, ","), firstLine(o.Reason))
		}
	}
	return b.String()
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// tell sends the summaries of campaigns that are over, one for each owner. The same summary is the same event.
func (r *Runner) tell(ctx context.Context) error {
	if r.opts.Notifier == nil {
		return nil
	}
	rows, err := r.store.Reads.QueryContext(ctx, `SELECT id, round FROM storm_campaigns WHERE state IN ('done', 'cancelled') AND told = 0`)
	if err != nil {
		return err
	}
	rounds := map[string]int{}
	for rows.Next() {
		var id string
		var round int
		if err := rows.Scan(&id, &round); err != nil {
			return err
		}
		rounds[id] = round
	}
	if err := rows.Close(); err != nil {
		return err
	}
	for campaign, round := range rounds {
		if err := r.tellOf(ctx, campaign, round); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (r *Runner) tellOf(ctx context.Context, campaign string, round int) error {
	s, err := r.Status(ctx, campaign)
	if err != nil {
		return err
	}
	outcomes, err := r.Outcomes(ctx, campaign)
	if err != nil {
		return err
	}
	for _, sum := range Summarize(s, outcomes) {
		data, err := json.Marshal(sum)
		if err != nil {
			return err
		}
		err = r.opts.Notifier.Notify(ctx, notify.Event{
			ID: notify.ID(notify.IncidentReported, campaign, fmt.Sprint(round), sum.Owner), Kind: notify.IncidentReported, Time: s.Ended, Teams: teams(sum.Owner), Campaign: campaign,
			Title: fmt.Sprintf("%s: %d images replaced, %d failed, %d left", campaign, sum.Rebased+sum.Rebuilt, len(sum.Failed), len(sum.Left)),
			Text:  sum.Text(), Data: data,
		})
		if err != nil {
			return err
		}
	}
	_, err = r.store.Exec(ctx, r.store.Writes, `UPDATE storm_campaigns SET told = 1 WHERE id = ? AND round = ?`, campaign, round)
	return err
}
