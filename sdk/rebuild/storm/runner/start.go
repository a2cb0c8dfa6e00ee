package runner

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// priorities of campaigns by their severity.
var priorities = map[string]int{"critical": 1, "high": 2, "medium": 3, "low": 4}

// Start makes a preview's images those of a campaign, which begins after [Options.Debounce]. Nothing of it is done before it
// returns, and all of it is afterwards, by whoever runs.
//
// It may be called again for a campaign, also one that is over: images that are new are added, those that are known stay as
// they are. An image that waits in another campaign is done by this one instead, so that it is moved once. An image that
// would go round in circles is left: its definition was brought onto the same base before, or too often in this campaign.
func (r *Runner) Start(ctx context.Context, p *storm.Preview) (*Status, error) {
	priority, ok := priorities[p.Severity]
	if p.Campaign == "" || !ok {
		return nil, fmt.Errorf("campaign %q of severity %q: it needs an id, and low, medium, high or critical", p.Campaign, p.Severity)
	}
	back, err := r.putBack(ctx, p)
	if err != nil {
		return nil, err
	}
	err = r.store.Transaction(ctx, func(tx *sql.Tx) error {
		if err := r.store.Lock(ctx, tx, lockKey); err != nil {
			return err
		}
		var state string
		err := tx.QueryRowContext(ctx, r.store.SQL(`SELECT state FROM storm_campaigns WHERE id = ?`), p.Campaign).Scan(&state)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			_, err = r.store.Exec(ctx, tx, `INSERT INTO storm_campaigns (id, because, severity, priority, state, created, not_before)
				VALUES (?, ?, ?, ?, 'waiting', {now}, {now} + ?)`, p.Campaign, p.Because, p.Severity, priority, r.opts.Debounce.Milliseconds())
		case err == nil && state == string(Cancelled):
			return fmt.Errorf("campaign %s was cancelled: start another one", p.Campaign)
		}
		if err != nil {
			return err
		}
		s := &starting{store: r.store, tx: tx, opts: &r.opts, preview: p, back: back}
		return s.run(ctx)
	})
	if err != nil {
		return nil, err
	}
	r.nudge()
	return r.Status(ctx, p.Campaign)
}

// putBack finds images that the campaign has replaced and whose tags name the old ones again. The registry is asked, since
// the lineage need not know yet.
func (r *Runner) putBack(ctx context.Context, p *storm.Preview) (map[string]bool, error) {
	rows, err := r.store.Reads.QueryContext(ctx, r.store.SQL(`SELECT id FROM storm_items WHERE campaign = ? AND state = 'done'`), p.Campaign)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	replaced := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		replaced[id] = true
	}
	back := map[string]bool{}
	for i := range p.Items {
		item := &p.Items[i]
		if !replaced[item.ID] {
			continue
		}
		for _, tag := range item.Tags {
			now, err := r.opts.Registry.Resolve(ctx, item.Repository+":"+tag)
			if err != nil && !errors.Is(err, registry.ErrNotFound) {
				return nil, err
			}
			back[item.ID] = back[item.ID] || now == item.Digest
		}
	}
	return back, rows.Err()
}

type starting struct {
	*store

	tx      *sql.Tx
	opts    *Options
	preview *storm.Preview
	back    map[string]bool
}

func (s *starting) run(ctx context.Context) error {
	canaries := s.canaries()
	added := 0
	for rank := range s.preview.Items {
		item := &s.preview.Items[rank]
		n, err := s.add(ctx, item, rank, canaries[item.ID])
		if err != nil {
			return err
		}
		added += n
	}
	if added == 0 {
		return nil
	}
	_, err := s.Exec(ctx, s.tx, `UPDATE storm_campaigns SET state = 'waiting', told = 0, round = round + 1, ended = 0, not_before = {now} + ?
		WHERE id = ? AND state = 'done'`, s.opts.Debounce.Milliseconds(), s.preview.Campaign)
	return err
}

// canaries are images of the first wave of which little runs, and of each verb if there are: what goes wrong there hurts
// least.
func (s *starting) canaries() map[string]bool {
	first := []*storm.Item{}
	for i := range s.preview.Items {
		if item := &s.preview.Items[i]; item.Wave == 1 && item.Problem == "" {
			first = append(first, item)
		}
	}
	chosen := map[string]bool{}
	if len(first) <= s.opts.Canary { // they are all there is
		return chosen
	}
	slices.Reverse(first)
	slices.SortStableFunc(first, func(a, b *storm.Item) int { return cmp.Compare(a.Running, b.Running) })
	for _, verb := range []rebuild.Verb{rebuild.DoRebuild, rebuild.DoRebase} {
		if i := slices.IndexFunc(first, func(i *storm.Item) bool { return i.Verb == verb }); i >= 0 && len(chosen) < s.opts.Canary {
			chosen[first[i].ID] = true
		}
	}
	for _, item := range first {
		if len(chosen) < s.opts.Canary {
			chosen[item.ID] = true
		}
	}
	return chosen
}

// add adds an image if the campaign does not have it, and says how many it added.
func (s *starting) add(ctx context.Context, item *storm.Item, rank int, canary bool) (int, error) {
	plan, err := json.Marshal(item)
	if err != nil {
		return 0, err
	}
	state, reason := waiting, ""
	if item.Problem != "" {
		state, reason = left, item.Problem
	} else if reason, err = s.circle(ctx, item); err != nil {
		return 0, err
	} else if reason != "" {
		state = left
	}
	verb := item.Verb
	if item.Forecast && item.Parent != "" {
		verb = rebuild.DoRebase // which it may be is decided when its base is there
	}
	registry, _, _ := strings.Cut(item.Repository, "/")
	n, err := s.Exec(ctx, s.tx, `INSERT INTO storm_items (campaign, id, repository, digest, registry, team, definition, wave, rank, canary, pending, state, verb, target, reason, plan, ended)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, CASE WHEN ? = 'left' THEN {now} ELSE 0 END) ON CONFLICT (campaign, id) DO NOTHING`,
		s.preview.Campaign, item.ID, item.Repository, item.Digest, registry, item.Owner, definition(item), item.Wave, rank, number(canary), len(item.After),
		state, string(verb), item.To, reason, string(plan), state)
	if err != nil {
		return 0, err
	}
	if n == 0 && !s.back[item.ID] {
		return 0, nil
	}
	if n == 0 {
		// Whoever put the tag back to an image that was replaced has a reason; doing it again would be a fight.
		n, err = s.Exec(ctx, s.tx, `UPDATE storm_items SET state = 'left', reason = ?, ended = {now} WHERE campaign = ? AND id = ? AND state = 'done'`,
			"it was replaced, and its tag was put back: find out why", s.preview.Campaign, item.ID)
		return int(n), err
	}
	for _, after := range item.After {
		if _, err := s.Exec(ctx, s.tx, `INSERT INTO storm_after (campaign, item, after) VALUES (?, ?, ?)`, s.preview.Campaign, item.ID, after); err != nil {
			return 0, err
		}
	}
	if state != waiting {
		return 1, nil
	}
	_, err = s.Exec(ctx, s.tx, `UPDATE storm_items SET state = 'superseded', reason = ?, ended = {now}
		WHERE repository = ? AND digest = ? AND campaign <> ? AND state = 'waiting'`, "campaign "+s.preview.Campaign+" does it", item.Repository, item.Digest, s.preview.Campaign)
	return 1, err
}

// circle says why an image is not done again, if so: what was brought onto a base and stands on the banned one still would be
// brought there for ever. Keyed by digests: a tag that moves does not make it another base.
func (s *starting) circle(ctx context.Context, item *storm.Item) (string, error) {
	var before sql.NullString
	var times int
	if item.To != "" {
		err := s.tx.QueryRowContext(ctx, s.SQL(`SELECT MAX(campaign) FROM storm_items WHERE definition = ? AND target = ? AND state = 'done' AND id <> ?`),
			definition(item), item.To, item.ID).Scan(&before)
		if err != nil {
			return "", err
		}
	}
	if before.Valid {
		return fmt.Sprintf("campaign %s brought it onto %s before, and it stands on what is banned again: find out why", before.String, item.To), nil
	}
	err := s.tx.QueryRowContext(ctx, s.SQL(`SELECT COUNT(*) FROM storm_items WHERE campaign = ? AND definition = ? AND state <> 'left'`),
		s.preview.Campaign, definition(item)).Scan(&times)
	if err != nil {
		return "", err
	}
	if times >= s.opts.Cap {
		return fmt.Sprintf("this campaign did it %d times already: find out why it comes back", times), nil
	}
	return "", nil
}

// definition names what an image is made from: loops are found by it.
func definition(item *storm.Item) string {
	if item.Definition.Commit == "" {
		return item.Repository + ":" + strings.Join(item.Tags, ",")
	}
	return item.Repository + " " + item.Definition.String() + " " + strings.Join(item.Tags, ",")
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
