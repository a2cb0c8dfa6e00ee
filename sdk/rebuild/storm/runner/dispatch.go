package runner

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
)

// Limits are how many images may be under way at once, over all processes. 0 is no limit, but for Total.
type Limits struct {
	// Total is for everything. Default 8.
	Total int
	// Registry is for each registry, Registries for some of them instead.
	Registry   int
	Registries map[string]int
	// Team is for each owner, Teams for some of them instead.
	Team  int
	Teams map[string]int
}

func limit(all int, some map[string]int, name string) int {
	if n, ok := some[name]; ok {
		return n
	}
	return all
}

// args are a job: which run to do. All are unique, so that inserting a run again is harmless.
type args struct {
	Campaign string `json:"campaign" river:"unique"`
	Item     string `json:"item" river:"unique"`
	Run      int64  `json:"run" river:"unique"`
}

// Kind implements river.JobArgs.
func (args) Kind() string { return "plimsoll.storm" }

const (
	maxCrashes = 20  // after so many deaths of its worker an image is given up
	lookAt     = 500 // images that wait are looked at, of each dispatch
)

// dispatching is what one dispatch knows.
type dispatching struct {
	total                      int
	registries, teams, engines map[string]int
	now                        []args
}

// dispatch takes back what dead workers were at, ends campaigns that are over, and releases what may run now.
func (s *store) dispatch(ctx context.Context, l Limits, engines []Engine, backlog int, lost time.Duration) ([]args, error) {
	d := &dispatching{}
	err := s.Transaction(ctx, func(tx *sql.Tx) error {
		d = &dispatching{registries: map[string]int{}, teams: map[string]int{}, engines: map[string]int{}}
		if err := s.Lock(ctx, tx, lockKey); err != nil {
			return err
		}
		for _, step := range []func(context.Context, *sql.Tx) error{
			func(ctx context.Context, tx *sql.Tx) error { return s.reap(ctx, tx, lost) },
			s.settle,
			func(ctx context.Context, tx *sql.Tx) error { return s.underWay(ctx, tx, d) },
			func(ctx context.Context, tx *sql.Tx) error { return s.release(ctx, tx, d, l, engines, backlog) },
		} {
			if err := step(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	return d.now, err
}

// reap takes back what dead workers were at.
func (s *store) reap(ctx context.Context, tx *sql.Tx, lost time.Duration) error {
	const dead = `state = 'running' AND worker NOT IN (SELECT id FROM storm_workers WHERE seen > {now} - ?)`
	if _, err := s.Exec(ctx, tx, `UPDATE storm_items SET state = 'failed', ended = {now}, reason = 'its worker died too often while it was at it'
		WHERE `+dead+` AND crashes >= ?`, lost.Milliseconds(), maxCrashes); err != nil {
		return err
	}
	_, err := s.Exec(ctx, tx, `UPDATE storm_items SET state = 'waiting', crashes = crashes + 1, worker = '', engine = '', reason = 'its worker died; it is begun again'
		WHERE `+dead, lost.Milliseconds())
	return err
}

// settle begins campaigns whose time has come, gives up what waits for what ended badly, and ends campaigns that are over.
func (s *store) settle(ctx context.Context, tx *sql.Tx) error {
	if _, err := s.Exec(ctx, tx, `UPDATE storm_campaigns SET state = 'running' WHERE state = 'waiting' AND not_before <= {now}`); err != nil {
		return err
	}
	for {
		n, err := s.Exec(ctx, tx, `UPDATE storm_items SET state = 'left', ended = {now}, reason = 'its base was not replaced' WHERE state = 'waiting' AND pending > 0
			AND EXISTS (SELECT 1 FROM storm_after a JOIN storm_items b ON b.campaign = a.campaign AND b.id = a.after
				WHERE a.campaign = storm_items.campaign AND a.item = storm_items.id AND b.state IN ('failed', 'left', 'cancelled', 'superseded'))`)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	_, err := s.Exec(ctx, tx, `UPDATE storm_campaigns SET state = 'done', ended = {now} WHERE state = 'running'
		AND NOT EXISTS (SELECT 1 FROM storm_items i WHERE i.campaign = storm_campaigns.id AND i.state IN `+unfinished+`)`)
	return err
}

func (s *store) underWay(ctx context.Context, tx *sql.Tx, d *dispatching) error {
	rows, err := tx.QueryContext(ctx, s.SQL(`SELECT campaign, id, run, state, registry, team, engine, released < {now} - 3000 FROM storm_items
		WHERE state IN ('released', 'running')`))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a args
		var state, registry, team, engine string
		var old bool
		if err := rows.Scan(&a.Campaign, &a.Item, &a.Run, &state, &registry, &team, &engine, &old); err != nil {
			return err
		}
		d.total++
		d.registries[registry]++
		d.teams[team]++
		d.engines[engine]++
		if state == released && old { // the process died before the queue had it
			d.now = append(d.now, a)
		}
	}
	return rows.Err()
}

// candidate is an item that waits for nothing but its turn.
type candidate struct {
	args

	registry, team, engine string
	verb                   rebuild.Verb
}

func (s *store) release(ctx context.Context, tx *sql.Tx, d *dispatching, l Limits, engines []Engine, backlog int) error {
	candidates, err := s.candidates(ctx, tx)
	if err != nil {
		return err
	}
	for _, c := range candidates {
		if d.total >= min(l.Total, backlog) {
			return nil
		}
		if n := limit(l.Registry, l.Registries, c.registry); n > 0 && d.registries[c.registry] >= n {
			continue
		}
		if n := limit(l.Team, l.Teams, c.team); n > 0 && d.teams[c.team] >= n {
			continue
		}
		if c.verb == rebuild.DoRebuild {
			free := slices.IndexFunc(engines, func(e Engine) bool { return d.engines[e.Name] < max(e.Slots, 1) })
			if free < 0 {
				continue
			}
			c.engine = engines[free].Name
			d.engines[c.engine]++
		}
		d.total++
		d.registries[c.registry]++
		d.teams[c.team]++
		c.Run++
		if _, err := s.Exec(ctx, tx, `UPDATE storm_items SET state = 'released', run = ?, engine = ?, released = {now} WHERE campaign = ? AND id = ?`,
			c.Run, c.engine, c.Campaign, c.Item); err != nil {
			return err
		}
		d.now = append(d.now, c.args)
	}
	return nil
}

// candidates are in order: the more severe campaign first, then as planned. While the first images of a campaign are not
// over, none of its others is one.
func (s *store) candidates(ctx context.Context, tx *sql.Tx) ([]candidate, error) {
	rows, err := tx.QueryContext(ctx, s.SQL(`SELECT i.campaign, i.id, i.run, i.registry, i.team, i.verb FROM storm_items i JOIN storm_campaigns c ON c.id = i.campaign
		WHERE i.state = 'waiting' AND i.pending = 0 AND i.not_before <= {now} AND c.state = 'running'
		AND (i.canary = 1 OR NOT EXISTS (SELECT 1 FROM storm_items k WHERE k.campaign = i.campaign AND k.canary = 1 AND k.state IN `+unfinished+`))
		ORDER BY c.priority, c.created, i.rank LIMIT ?`), lookAt)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []candidate
	for rows.Next() {
		var c candidate
		if err := rows.Scan(&c.Campaign, &c.Item, &c.Run, &c.registry, &c.team, &c.verb); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// beat says that a worker is alive, and returns the campaigns that are cancelled and have something under way.
func (s *store) beat(ctx context.Context, worker, host string) (stop map[string]bool, err error) {
	if _, err := s.Exec(ctx, s.Writes, `INSERT INTO storm_workers (id, host, seen) VALUES (?, ?, {now})
		ON CONFLICT (id) DO UPDATE SET seen = excluded.seen`, worker, host); err != nil {
		return nil, err
	}
	rows, err := s.Reads.QueryContext(ctx, s.SQL(`SELECT DISTINCT i.campaign FROM storm_items i JOIN storm_campaigns c ON c.id = i.campaign
		WHERE i.state = 'running' AND i.worker = ? AND c.state = 'cancelled'`), worker)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	stop = map[string]bool{}
	for rows.Next() {
		var campaign string
		if err := rows.Scan(&campaign); err != nil {
			return nil, err
		}
		stop[campaign] = true
	}
	return stop, rows.Err()
}

func (s *store) gone(ctx context.Context, worker string) error {
	_, err := s.Exec(ctx, s.Writes, `DELETE FROM storm_workers WHERE id = ? OR seen < {now} - 86400000`, worker)
	return err
}
