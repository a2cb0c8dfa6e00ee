// Package buildservice is the service in which images are built where Ops is in charge: callers name a repository and a
// commit, and the service alone holds the credentials to publish. A request can upload nothing and weaken nothing.
//
// It is a queue in front of pipeline.Delivery, with an HTTP API described in OpenAPI 3.1, callers with OIDC tokens of
// their CI system, pages for people, an audit log and metrics:
//
//	service, err := buildservice.New(ctx, buildservice.Options{Dir: dir, Projects: projects, Delivery: delivery, Callers: oidc, Audit: log})
//	go service.Run(ctx)
//	server := buildservice.Server("127.0.0.1:8080", service.Handler())
//
// The program examples/buildservice runs it with one configuration file. Package api has the types that go over the wire,
// package client a client, package callers who may call.
//
// One process keeps everything in a SQLite file; with PostgreSQL several on several hosts share the work. A process that is
// killed at any point loses no build and publishes none twice: what it was at is begun again elsewhere or at its next start,
// an image that was already pushed is found again by its inputs, and tags are moved last.
package buildservice

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/internal/feed"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/internal/queue"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/internal/store"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

// Options are the parts and limits of a service. Dir, Projects, Delivery, Callers and Audit are required.
type Options struct {
	// Dir is the service's own directory: the database, and layouts of builds under way. One process has it.
	Dir string
	// Database is a PostgreSQL address, "postgres://user:password@host/name", for several processes that share the work.
	// Default: SQLite in Dir.
	Database string
	// Projects are what may be built.
	Projects []Project
	// Delivery returns the pipeline for a run of a project's build. It is asked each time, so a catalog that changed counts
	// from the next run on. Its Registry must be a [Registry]. Required.
	Delivery func(ctx context.Context, project string) (pipeline.Delivery, error)
	// Callers say who calls.
	Callers callers.Authenticator
	// Operators may do their rights with the builds of all projects, and see the audit log and the catalog.
	Operators []callers.Grant
	// Audit takes every request and every denial. What can't be written there is not done.
	Audit *audit.Log

	// Workers is how many builds this process does at once. Default 2; negative: none, it only answers.
	Workers int
	// MaxRunning is how many builds run at once in all processes, TeamRunning of each team, TeamQuotas of some teams instead.
	// 0 means no limit but Workers.
	MaxRunning, TeamRunning int
	TeamQuotas              map[string]int
	// MaxQueued is how many builds of a team may wait. Default 1000.
	MaxQueued int
	// Timeout is how long a run may take. Default 1 h.
	Timeout time.Duration
	// Drain is how long builds may go on when the service stops; after that they go back to the queue. Default 5 min.
	Drain time.Duration
	// Attempts is how often a build is begun that meets faults (a registry that is down, a full disk), with growing waits
	// between. Refusals are not tried again. Default 5.
	Attempts int
	// Backoff is the wait after the first fault; it doubles with each, up to 5 min. Default 5 s.
	Backoff time.Duration
	// Limits are those of HTTP.
	Limits Limits

	// Log receives what happens. Nil discards.
	Log *slog.Logger
	// Tracer makes spans from the API's call to each stage. Default: none.
	Tracer trace.Tracer
	// Metrics takes the service's metrics. Default: a registry of its own. Both are served by [Service.Metrics].
	Metrics *prometheus.Registry
	// Now is the clock for what is not the database's. Default time.Now.
	Now func() time.Time
}

// Registry is what the service needs of a registry; *registry.Client is one.
type Registry interface {
	pipeline.Registry
	// Index reads an index by reference.
	Index(ctx context.Context, ref string) (v1.ImageIndex, error)
}

// Service is a build service. Make it with [New], run it with [Service.Run], serve [Service.Handler].
type Service struct {
	opts     Options
	projects []Project
	store    *store.Store
	queue    *queue.Queue
	feeds    *feed.Feeds
	metrics  *metrics
	log      *slog.Logger
	worker   string // this process, in the database
	lock     *os.File
	wake     chan struct{} // something may be released
	lease    lease

	mu      sync.Mutex
	running map[string]context.CancelCauseFunc
	ready   bool
	tries   *buckets // of logging in
}

// ErrInUse says that another process has the directory.
var ErrInUse = errors.New("another process has the service's directory")

// New opens the database and takes back what a process that died was at. The caller closes the service.
func New(ctx context.Context, opts Options) (*Service, error) {
	s := &Service{opts: opts, running: map[string]context.CancelCauseFunc{}, wake: make(chan struct{}, 1)}
	if err := s.configure(); err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("the build service: %w", err), s.Close())
	}
	return s, nil
}

func (s *Service) configure() error {
	o := &s.opts
	if o.Dir == "" || o.Delivery == nil || o.Callers == nil || o.Audit == nil {
		return errors.New("the build service needs Dir, Delivery, Callers and Audit")
	}
	setDefault(&o.Workers, 2)
	setDefault(&o.MaxQueued, 1000)
	setDefault(&o.Timeout, time.Hour)
	setDefault(&o.Drain, 5*time.Minute)
	setDefault(&o.Attempts, 5)
	setDefault(&o.Backoff, 5*time.Second)
	o.Limits = o.Limits.withDefaults()
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	if o.Tracer == nil {
		o.Tracer = noop.Tracer{}
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	s.log = o.Log
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	for _, g := range o.Operators {
		if err := g.Check(); err != nil {
			return fmt.Errorf("the operators: %w", err)
		}
	}
	names := map[string]bool{}
	for i := range o.Projects {
		p, err := o.Projects[i].withDefaults()
		if err != nil {
			return err
		}
		if names[p.Name] {
			return fmt.Errorf("the project %s is there twice", p.Name)
		}
		names[p.Name] = true
		s.projects = append(s.projects, p)
	}
	s.worker = newID()
	return nil
}

func setDefault[T comparable](value *T, to T) {
	var zero T
	if *value == zero {
		*value = to
	}
}

func newID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // it never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

func (s *Service) open(ctx context.Context) error {
	if err := os.MkdirAll(s.opts.Dir, 0o700); err != nil {
		return err
	}
	var err error
	if s.lock, err = os.OpenFile(filepath.Join(s.opts.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("%w: %w", ErrInUse, err)
	}
	// Layouts of builds that were under way when the last process ended.
	if err := os.RemoveAll(filepath.Join(s.opts.Dir, "runs")); err != nil {
		return err
	}
	if s.opts.Database == "" {
		s.store, err = store.OpenSQLite(ctx, filepath.Join(s.opts.Dir, "builds.db"))
	} else {
		s.store, err = store.OpenPostgres(ctx, s.opts.Database)
	}
	if err != nil {
		return err
	}
	if s.opts.Database == "" { // whoever had this file is dead: the lock is ours
		if err := s.store.Gone(ctx, ""); err != nil {
			return err
		}
	}
	s.lease = lease{lost: s.lost()}
	s.feeds = feed.New(logs{s.store}, time.Second)
	s.metrics = newMetrics(s)
	if s.opts.Workers < 0 {
		return nil
	}
	s.queue, err = queue.New(ctx, s.store, s.opts.Workers, s.work, s.log)
	return err
}

// lost is how long a worker may be silent before others take over what it is at. Alone nobody could.
func (s *Service) lost() time.Duration {
	if s.opts.Database == "" {
		return 100 * 24 * time.Hour
	}
	return 8 * time.Second
}

// Close closes the database. Call it when Run has returned.
func (s *Service) Close() error {
	var errs []error
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Run does builds until ctx ends; then it begins none, waits for those under way as long as Options.Drain says, and puts
// the others back. It returns an error only when it could not begin.
func (s *Service) Run(ctx context.Context) error {
	alive, die := context.WithCancel(context.WithoutCancel(ctx))
	defer die()
	if err := s.beat(alive); err != nil {
		return fmt.Errorf("the build service: %w", err)
	}
	var loops sync.WaitGroup
	loops.Go(func() { s.every(alive, time.Second, nil, s.beat) })
	loops.Go(func() { s.every(alive, time.Hour, nil, s.store.Clear) })
	if s.queue != nil {
		if err := s.queue.Start(alive); err != nil {
			return fmt.Errorf("the queue: %w", err)
		}
		loops.Go(func() { s.every(ctx, time.Second, s.wake, s.dispatch) })
	}
	s.setReady(true)
	<-ctx.Done()
	s.setReady(false)
	if s.queue != nil {
		s.drain(alive)
	}
	die()
	loops.Wait()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return s.store.Gone(end, s.worker)
}

// every calls f at intervals and when woken. What fails is logged and tried again.
func (s *Service) every(ctx context.Context, interval time.Duration, wake <-chan struct{}, f func(context.Context) error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "the database: will be tried again", "error", err)
		}
		select {
		case <-tick.C:
		case <-wake:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// beat says that this process is alive, and stops the builds that somebody cancelled.
func (s *Service) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	began := time.Now() //nolint:forbidigo // the monotonic clock: it measures how long ago, not when
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	cancelled, err := s.store.Beat(ctx, s.worker, host)
	if err != nil {
		return err
	}
	s.lease.renew(began)
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, by := range cancelled {
		if stop := s.running[id]; stop != nil {
			stop(&cancelledError{by})
		}
	}
	return nil
}

// dispatch releases what may run and hands it to the queue.
func (s *Service) dispatch(ctx context.Context) error {
	released, err := s.store.Dispatch(ctx, store.Limits{
		Total: s.opts.MaxRunning, Team: s.opts.TeamRunning, Teams: s.opts.TeamQuotas,
		Backlog: 2 * s.opts.Workers, Crashes: maxCrashes, Lost: s.lost(),
	})
	if err != nil {
		return err
	}
	for _, r := range released {
		if err := s.queue.Insert(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// maxCrashes is after how many deaths of its worker a build is given up: one that kills whoever builds it must not do so
// for ever.
const maxCrashes = 20

// drain stops the queue, and puts back what is not over in time.
func (s *Service) drain(ctx context.Context) {
	wait, cancel := context.WithTimeout(ctx, s.opts.Drain)
	defer cancel()
	if err := s.queue.Stop(wait); err == nil {
		return
	}
	s.mu.Lock()
	for _, stop := range s.running {
		stop(errDraining)
	}
	s.mu.Unlock()
	last, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := s.queue.Stop(last); err != nil {
		s.log.WarnContext(ctx, "builds did not stop in time; they are begun again at the next start", "error", err)
	}
}

func (s *Service) setReady(ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = ready
}
