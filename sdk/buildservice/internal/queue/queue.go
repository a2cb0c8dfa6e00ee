// Package queue brings released runs to workers with River, in the database of package store: SQLite for one process,
// PostgreSQL for several on several hosts. It holds nothing that could not be made anew: a run that comes twice is begun
// once, and one that gets lost is inserted again.
package queue

import (
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

	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/internal/store"
)

// Work does a run. It records by itself what came of it: River never tries again.
type Work func(ctx context.Context, build string, run int64)

// Queue hands out runs. Insert may be called from anywhere, Start and Stop once.
type Queue interface {
	Insert(ctx context.Context, r store.Released) error
	Start(ctx context.Context) error
	// Stop takes nothing more and waits until the runs under way are over, or ctx ends.
	Stop(ctx context.Context) error
}

// args are a job: which run to do. Both are unique, so that inserting a run again is harmless.
type args struct {
	Build string `json:"build" river:"unique"`
	Run   int64  `json:"run" river:"unique"`
}

// Kind implements [river.JobArgs].
func (args) Kind() string { return "plimsoll.build" }

type worker struct {
	river.WorkerDefaults[args]
	work Work
}

// Work implements [river.Worker].
func (w *worker) Work(ctx context.Context, job *river.Job[args]) error {
	w.work(ctx, job.Args.Build, job.Args.Run)
	return nil
}

// New makes the queue, and its tables where they are missing. Slots is how many runs this process does at once.
func New(ctx context.Context, s *store.Store, slots int, work Work, log *slog.Logger) (Queue, error) {
	if s.Pool != nil {
		// Hosts that start at once take turns with the tables.
		conn, err := s.Pool.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		defer conn.Release()
		const key = 0x506c696d72697672
		if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(key)); err != nil {
			return nil, err
		}
		q, err := open(ctx, riverpgxv5.New(s.Pool), slots, work, log)
		_, unlocked := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(key))
		return q, errors.Join(err, unlocked)
	}
	return open(ctx, riversqlite.New(s.SQLite), slots, work, log)
}

type client[T any] struct{ *river.Client[T] }

func open[T any](ctx context.Context, driver riverdriver.Driver[T], slots int, work Work, log *slog.Logger) (Queue, error) {
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: log})
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("the tables of the queue: %w", err)
	}
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{work: work}); err != nil {
		return nil, err
	}
	c, err := river.NewClient(driver, &river.Config{
		Logger:                      log,
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: slots}},
		Workers:                     workers,
		MaxAttempts:                 1,
		JobTimeout:                  -1, // builds have their own
		FetchCooldown:               20 * time.Millisecond,
		FetchPollInterval:           500 * time.Millisecond,
		CompletedJobRetentionPeriod: time.Hour,
		// What a dead worker left is taken over through the store, within seconds. This only tidies River's own table.
		RescueStuckJobsAfter: 24 * time.Hour,
	})
	if err != nil {
		return nil, err
	}
	return client[T]{c}, nil
}

// Insert implements [Queue].
func (c client[T]) Insert(ctx context.Context, r store.Released) error {
	_, err := c.Client.Insert(ctx, args{r.ID, r.Run}, &river.InsertOpts{
		Priority: min(max(r.Priority, 1), 4), UniqueOpts: river.UniqueOpts{ByArgs: true},
	})
	return err
}
