package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
)

// New is a build to accept.
type New struct {
	ID, Project, Team, Caller string
	Request                   api.Request
	// Same is equal for two requests that ask for the same. While one of them is not over, the other is not accepted.
	Same string
	// Key and Content are the caller's Idempotency-Key and a hash of what it asks for. Without a Key nothing is remembered.
	Key, Content string
	// Token is used up for this request, if it has an ID.
	Token Token
	// MaxQueued is how many builds of the team may wait; 0 means any number.
	MaxQueued int
	// Trace is the W3C trace context of the request.
	Trace string
}

// Token is a token that may ask for one build only.
type Token struct {
	ID      string
	Expires int64 // Unix milliseconds
}

// Why a build is not accepted.
var (
	ErrKeyReused   = errors.New("the Idempotency-Key was used for another request")
	ErrTokenReused = errors.New("the token was used for another request")
	ErrQueueFull   = errors.New("the team has as many builds waiting as it may")
)

// Add accepts a build, or returns the one that is there already: for the same Idempotency-Key, or the same one that is
// not over. Fresh says which.
func (s *Store) Add(ctx context.Context, n New) (build *Build, fresh bool, err error) {
	request, err := json.Marshal(n.Request)
	if err != nil {
		return nil, false, err
	}
	id := n.ID
	err = s.Transaction(ctx, func(tx *sql.Tx) error {
		if err := s.Lock(ctx, tx, lockKey); err != nil {
			return err
		}
		known, err := s.known(ctx, tx, n)
		if err != nil || known != "" {
			id = known
			return err
		}
		if err := s.useToken(ctx, tx, n); err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, s.SQL(`SELECT id FROM builds WHERE same = ? AND state IN ('queued', 'released', 'running')`), n.Same).Scan(&known)
		switch {
		case err == nil:
			id = known
		case !errors.Is(err, sql.ErrNoRows):
			return err
		default:
			if err := s.room(ctx, tx, n); err != nil {
				return err
			}
			fresh = true
			if _, err := s.Exec(ctx, tx, `INSERT INTO builds (id, project, team, caller, request, repository, revision, same, priority, state, created, trace)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', {now}, ?)`,
				n.ID, n.Project, n.Team, n.Caller, string(request), n.Request.Repository, n.Request.Commit, n.Same, n.Request.Priority, n.Trace); err != nil {
				return err
			}
		}
		if n.Key == "" {
			return nil
		}
		_, err = s.Exec(ctx, tx, `INSERT INTO keys (caller, name, content, build, created) VALUES (?, ?, ?, ?, {now})`, n.Caller, n.Key, n.Content, id)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	build, err = s.Get(ctx, id)
	return build, fresh, err
}

// known returns the build that the Idempotency-Key was used for.
func (s *Store) known(ctx context.Context, tx *sql.Tx, n New) (id string, err error) {
	if n.Key == "" {
		return "", nil
	}
	var content string
	err = tx.QueryRowContext(ctx, s.SQL(`SELECT build, content FROM keys WHERE caller = ? AND name = ?`), n.Caller, n.Key).Scan(&id, &content)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err == nil && content != n.Content:
		return "", ErrKeyReused
	}
	return id, err
}

// useToken marks a token as used. The same request may come again with it.
func (s *Store) useToken(ctx context.Context, tx *sql.Tx, n New) error {
	if n.Token.ID == "" {
		return nil
	}
	added, err := s.Exec(ctx, tx, `INSERT INTO tokens (id, used_for, expires) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		n.Token.ID, n.Same, n.Token.Expires)
	if err != nil || added == 1 {
		return err
	}
	var usedFor string
	if err := tx.QueryRowContext(ctx, s.SQL(`SELECT used_for FROM tokens WHERE id = ?`), n.Token.ID).Scan(&usedFor); err != nil {
		return err
	}
	if usedFor != n.Same {
		return ErrTokenReused
	}
	return nil
}

func (s *Store) room(ctx context.Context, tx *sql.Tx, n New) error {
	if n.MaxQueued == 0 {
		return nil
	}
	var waiting int
	err := tx.QueryRowContext(ctx, s.SQL(`SELECT COUNT(*) FROM builds WHERE team = ? AND state = 'queued'`), n.Team).Scan(&waiting)
	if err == nil && waiting >= n.MaxQueued {
		return fmt.Errorf("%w: %d", ErrQueueFull, waiting)
	}
	return err
}

// Build is a build as it is stored.
type Build struct {
	api.Build
	// Run numbers the runs; only the worker that has the last one may change the build.
	Run    int64
	Trace  string
	Cancel string // who wants it cancelled
}

const columns = `id, project, team, caller, request, state, run, stage, reason, reference, created, started, ended, trace, cancel`

type scanner interface{ Scan(to ...any) error }

func scan(row scanner) (*Build, error) {
	var b Build
	var request, state string
	var created, started, ended sql.NullInt64
	err := row.Scan(&b.ID, &b.Project, &b.Team, &b.Caller, &request, &state, &b.Run, &b.Stage, &b.Reason, &b.Reference,
		&created, &started, &ended, &b.Trace, &b.Cancel)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	b.State, b.Runs = api.State(state), int(b.Run)
	if state == "released" { // handed to the queue, nobody has begun
		b.State = api.Queued
	}
	if t := fromMillis(created); t != nil {
		b.Created = *t
	}
	b.Started, b.Ended = fromMillis(started), fromMillis(ended)
	return &b, json.Unmarshal([]byte(request), &b.Request)
}

// Get returns a build.
func (s *Store) Get(ctx context.Context, id string) (*Build, error) {
	return scan(s.Reads.QueryRowContext(ctx, s.SQL(`SELECT `+columns+` FROM builds WHERE id = ?`), id))
}

// Filter says which builds to list. Empty fields do not count.
type Filter struct {
	Projects                  []string // nil: all
	State, Repository, Commit string
	Before                    string // an id
	Limit                     int
}

// List returns builds, newest first.
func (s *Store) List(ctx context.Context, f Filter) ([]Build, error) {
	where, args := []string{"1 = 1"}, []any{}
	add := func(condition string, arg ...any) {
		where, args = append(where, condition), append(args, arg...)
	}
	if f.Projects != nil {
		in := make([]any, len(f.Projects))
		for i, p := range f.Projects {
			in[i] = p
		}
		add("project IN ("+strings.TrimSuffix(strings.Repeat("?, ", len(in)), ", ")+")", in...)
		if len(in) == 0 {
			return nil, nil
		}
	}
	switch f.State {
	case "":
	case "queued":
		add("state IN ('queued', 'released')")
	default:
		add("state = ?", f.State)
	}
	if f.Repository != "" {
		add("repository = ?", f.Repository)
	}
	if f.Commit != "" {
		add("revision = ?", f.Commit)
	}
	if f.Before != "" {
		add("id < ?", f.Before)
	}
	rows, err := s.Reads.QueryContext(ctx, s.SQL(`SELECT `+columns+` FROM builds WHERE `+strings.Join(where, " AND ")+` ORDER BY id DESC LIMIT ?`),
		append(args, f.Limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Build
	for rows.Next() {
		b, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, *b)
	}
	return all, rows.Err()
}

// Result returns what a run left, as [Run.End] was given it; nil when there is none.
func (s *Store) Result(ctx context.Context, id string) ([]byte, error) {
	var text string
	err := s.Reads.QueryRowContext(ctx, s.SQL(`SELECT result FROM results WHERE build = ?`), id).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return []byte(text), err
}

// Count returns how many builds are in each state.
func (s *Store) Count(ctx context.Context) (map[api.State]int, error) {
	rows, err := s.Reads.QueryContext(ctx, `SELECT CASE state WHEN 'released' THEN 'queued' ELSE state END, COUNT(*) FROM builds GROUP BY 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := map[api.State]int{}
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return nil, err
		}
		counts[api.State(state)] = n
	}
	return counts, rows.Err()
}
