package runner

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
)

// State is how far a campaign is.
type State string

// The states of a campaign.
const (
	Waiting   State = "waiting" // it begins when nothing was added for a while
	Running   State = "running"
	Paused    State = "paused" // by a person, or because too much failed
	Done      State = "done"
	Cancelled State = "cancelled"
)

// Over says whether nothing more happens.
func (s State) Over() bool { return s == Done || s == Cancelled }

// ErrNotFound says that there is no such campaign.
var ErrNotFound = errors.New("no such campaign")

// Status is how far a campaign is.
type Status struct {
	Campaign string `json:"campaign"`
	Because  string `json:"because,omitempty"`
	Severity string `json:"severity"`
	State    State  `json:"state"`
	// Reason says why it is paused or was cancelled.
	Reason  string    `json:"reason,omitempty"`
	Created time.Time `json:"created"`
	Ended   time.Time `json:"ended,omitzero"`
	Waves   []Wave    `json:"waves"`
}

// Wave counts the images of one wave; wave 0 has those of which nothing could be planned.
type Wave struct {
	Number  int `json:"number"`
	Images  int `json:"images"`
	Running int `json:"running"`
	Done    int `json:"done"`
	Failed  int `json:"failed"`
	// Left are those that nothing was done about, and superseded or cancelled ones.
	Left int `json:"left"`
}

// Over is how many images nothing more is done about.
func (w Wave) Over() int { return w.Done + w.Failed + w.Left }

// Outcome is what became of an image.
type Outcome struct {
	storm.Item

	// State is "waiting", "released", "running", "done", "failed", "left", "superseded" or "cancelled".
	State string `json:"state"`
	// Did is what was done in the end, which may be another verb than was planned.
	Did rebuild.Verb `json:"did,omitempty"`
	// Result is the new image by digest, and Moved what became of the tags.
	Result string         `json:"result,omitempty"`
	Moved  *rebuild.Moved `json:"moved,omitempty"`
	Reason string         `json:"reason,omitempty"`
	Runs   int            `json:"runs,omitempty"`
	// Took is how long the last run was.
	Took time.Duration `json:"took,omitempty"`
}

// Campaigns lists all campaigns, the newest first.
func (r *Runner) Campaigns(ctx context.Context) ([]string, error) {
	rows, err := r.store.Reads.QueryContext(ctx, `SELECT id FROM storm_campaigns ORDER BY created DESC, id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	ids := []string{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// Status says how far a campaign is. The error wraps [ErrNotFound].
func (r *Runner) Status(ctx context.Context, campaign string) (*Status, error) {
	s := &Status{Campaign: campaign, Waves: []Wave{}}
	var created, ended int64
	err := r.store.Reads.QueryRowContext(ctx, r.store.SQL(`SELECT because, severity, state, reason, created, ended FROM storm_campaigns WHERE id = ?`), campaign).
		Scan(&s.Because, &s.Severity, &s.State, &s.Reason, &created, &ended)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, fmt.Errorf("%w: %s", ErrNotFound, campaign)
	case err != nil:
		return nil, err
	}
	s.Created = time.UnixMilli(created).UTC()
	if ended > 0 {
		s.Ended = time.UnixMilli(ended).UTC()
	}
	rows, err := r.store.Reads.QueryContext(ctx, r.store.SQL(`SELECT wave, COUNT(*), COUNT(CASE WHEN state IN ('running', 'released') THEN 1 END),
		COUNT(CASE WHEN state = 'done' THEN 1 END), COUNT(CASE WHEN state = 'failed' THEN 1 END),
		COUNT(CASE WHEN state IN ('left', 'superseded', 'cancelled') THEN 1 END) FROM storm_items WHERE campaign = ? GROUP BY wave ORDER BY wave`), campaign)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var w Wave
		if err := rows.Scan(&w.Number, &w.Images, &w.Running, &w.Done, &w.Failed, &w.Left); err != nil {
			return nil, err
		}
		s.Waves = append(s.Waves, w)
	}
	return s, rows.Err()
}

// Outcomes returns all images of a campaign in the order of its plan.
func (r *Runner) Outcomes(ctx context.Context, campaign string) ([]Outcome, error) {
	rows, err := r.store.Reads.QueryContext(ctx, r.store.SQL(`SELECT plan, state, verb, result, moved, reason, run, started, ended FROM storm_items
		WHERE campaign = ? ORDER BY wave, rank, id`), campaign)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []Outcome{}
	for rows.Next() {
		var o Outcome
		var plan, moved string
		var started, ended int64
		if err := rows.Scan(&plan, &o.State, &o.Did, &o.Result, &moved, &o.Reason, &o.Runs, &started, &ended); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(plan), &o.Item); err != nil {
			return nil, err
		}
		if o.State != done {
			o.Did = ""
		}
		if moved != "" {
			if err := json.Unmarshal([]byte(moved), &o.Moved); err != nil {
				return nil, err
			}
		}
		if started > 0 && ended >= started {
			o.Took = time.Duration(ended-started) * time.Millisecond
		}
		all = append(all, o)
	}
	return all, rows.Err()
}

// Pause begins no more images of a campaign; those under way are finished.
func (r *Runner) Pause(ctx context.Context, campaign, by string) (*Status, error) {
	return r.set(ctx, campaign, `state = 'paused', reason = ?`, `('waiting', 'running')`, "paused by "+by)
}

// Resume goes on with a campaign that was paused. What has failed so far does not stop it again.
func (r *Runner) Resume(ctx context.Context, campaign, by string) (*Status, error) {
	return r.set(ctx, campaign, `state = 'running', reason = ?,
		forgiven = (SELECT COUNT(*) FROM storm_items i WHERE i.campaign = storm_campaigns.id AND i.state = 'failed'),
		forgiven_of = (SELECT COUNT(*) FROM storm_items i WHERE i.campaign = storm_campaigns.id AND i.state IN ('failed', 'done'))`, `('paused')`, "resumed by "+by)
}

// Cancel ends a campaign: what waits is not done, and what is under way is stopped. Tags that have moved stay so.
func (r *Runner) Cancel(ctx context.Context, campaign, by string) (*Status, error) {
	s, err := r.set(ctx, campaign, `state = 'cancelled', ended = {now}, reason = ?`, `('waiting', 'running', 'paused')`, "cancelled by "+by)
	if err != nil || s.State != Cancelled {
		return s, err
	}
	if _, err := r.store.Exec(ctx, r.store.Writes, `UPDATE storm_items SET state = 'cancelled', reason = ?, ended = {now}
		WHERE campaign = ? AND state IN ('waiting', 'released')`, "cancelled by "+by, campaign); err != nil {
		return nil, err
	}
	return r.Status(ctx, campaign)
}

func (r *Runner) set(ctx context.Context, campaign, set, from, reason string) (*Status, error) {
	if _, err := r.store.Exec(ctx, r.store.Writes, `UPDATE storm_campaigns SET `+set+` WHERE id = ? AND state IN `+from, reason, campaign); err != nil {
		return nil, err
	}
	r.nudge()
	return r.Status(ctx, campaign)
}

// Times implements [storm.Past]: how long images of each repository took in earlier storms, and usually.
func (r *Runner) Times(ctx context.Context) (storm.Times, error) {
	t := storm.Times{Repositories: map[string]time.Duration{}, Verbs: map[rebuild.Verb]time.Duration{}}
	rows, err := r.store.Reads.QueryContext(ctx, `SELECT verb, repository, AVG(ended - started), COUNT(*) FROM storm_items WHERE state = 'done' AND started > 0 GROUP BY verb, repository`)
	if err != nil {
		return t, err
	}
	defer rows.Close()
	sums, counts := map[rebuild.Verb]float64{}, map[rebuild.Verb]float64{}
	for rows.Next() {
		var verb rebuild.Verb
		var repository string
		var mean, count float64
		if err := rows.Scan(&verb, &repository, &mean, &count); err != nil {
			return t, err
		}
		t.Repositories[string(verb)+" "+repository] = milliseconds(mean)
		sums[verb], counts[verb] = sums[verb]+mean*count, counts[verb]+count
	}
	for verb, sum := range sums {
		t.Verbs[verb] = milliseconds(sum / counts[verb])
	}
	return t, rows.Err()
}

// milliseconds rounds up: nothing takes no time.
func milliseconds(ms float64) time.Duration {
	return max(time.Duration(math.Round(ms)), 1) * time.Millisecond
}
