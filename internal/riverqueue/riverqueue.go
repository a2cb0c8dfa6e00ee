// Package riverqueue brings released runs to workers with River, in the database of package database: SQLite for one
// process, PostgreSQL for several on several hosts. It holds nothing that could not be made anew: a run that comes twice is
// begun once by whoever keeps the truth, and one that gets lost is inserted again.
package riverqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/plimsoll-dev/plimsoll/internal/database"
)

// Queue hands out runs. Insert may be called from anywhere, Start and Stop once.
type Queue[A river.JobArgs] interface {
	// Insert adds a run with a priority from 1 to 4. One that is there already is not added again.
	Insert(ctx context.Context, run A, priority int) error
	Start(ctx context.Context) error
	// Stop takes nothing more and waits until the runs under way are over, or ctx ends.
	Stop(ctx context.Context) error
}

// Options of a queue. Name tells the queues in one database apart; Slots is how many runs this process does at once; Poll is
// how often a database that tells nobody is asked, by default 500 ms.
type Options struct {
	Name  string
	Slots int
	Poll  time.Duration
	Log   *slog.Logger
}

type worker[A river.JobArgs] struct {
	river.WorkerDefaults[A]
	work func(context.Context, A)
}

// Work implements [river.Worker].
func (w *worker[A]) Work(ctx context.Context, job *river.Job[A]) error {
	w.work(ctx, job.Args)
	return nil
}

// New makes the queue, and its tables where they are missing. Work does a run and records by itself what came of it: River
// never tries again. Fields of A that tell runs apart have the tag river:"unique".
func New[A river.JobArgs](ctx context.Context, db *database.DB, opts Options, work func(context.Context, A)) (Queue[A], error) {
	if db.Pool != nil {
		// Hosts that start at once take turns with the tables.
		conn, err := db.Pool.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		defer conn.Release()
		const key = 0x506c696d72697672
		if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(key)); err != nil {
			return nil, err
		}
		q, err := open(ctx, riverpgxv5.New(db.Pool), opts, work)
		_, unlocked := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(key))
		return q, errors.Join(err, unlocked)
	}
	return open(ctx, riversqlite.New(db.SQLite), opts, work)
}

type client[T any, A river.JobArgs] struct {
	*river.Client[T]
	queue string
}

func open[T any, A river.JobArgs](ctx context.Context, driver riverdriver.Driver[T], opts Options, work func(context.Context, A)) (Queue[A], error) {
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: opts.Log})
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("the tables of the queue: %w", err)
	}
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker[A]{work: work}); err != nil {
		return nil, err
	}
	c, err := river.NewClient(driver, &river.Config{
		Logger:                      opts.Log,
		Queues:                      map[string]river.QueueConfig{opts.Name: {MaxWorkers: opts.Slots}},
		Workers:                     workers,
		MaxAttempts:                 1,
		JobTimeout:                  -1, // the work has its own
		FetchCooldown:               20 * time.Millisecond,
		FetchPollInterval:           cmp.Or(opts.Poll, 500*time.Millisecond),
		CompletedJobRetentionPeriod: time.Hour,
		// What a dead worker left is taken over through the store, within seconds. This only tidies River's own table.
		RescueStuckJobsAfter: 24 * time.Hour,
	})
	if err != nil {
		return nil, err
	}
	return client[T, A]{c, opts.Name}, nil
}

// Insert implements [Queue].
func (c client[T, A]) Insert(ctx context.Context, run A, priority int) error {
	_, err := c.Client.Insert(ctx, run, &river.InsertOpts{
		Queue: c.queue, Priority: min(max(priority, 1), 4), UniqueOpts: river.UniqueOpts{ByArgs: true},
	})
	return err
}
