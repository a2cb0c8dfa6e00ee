package move

import (
	"context"
	"iter"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/inputs"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Survey asks what a catalog makes of definitions, one or very many: a dry run that builds nothing and changes nothing.
// Catalog and Registry are required. It is safe for concurrent use.
//
// A second survey costs less: with Load.CacheDir only commits that are new are fetched. What registries say is asked once
// for all definitions of one Run.
type Survey struct {
	Catalog  *catalog.Catalog
	Registry Registry
	// Load says how to log in, limits, where to keep what was fetched, and with its Compilers which higher-level definitions
	// are looked at. Its Dir, Dockerfile and Targets are not looked at.
	Load source.Options
	// Login returns the credentials for a repository, which are shown to nobody but its server. Default: Load.Auth, for all.
	Login func(repository string) source.Auth
	// Platforms are those to build for. Default: this machine's.
	Platforms []string
	// Workers is how many definitions are looked at at the same time. Default: 8.
	Workers int
	// Timeout is for one definition. Default: 2 minutes.
	Timeout time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Registry is what a survey needs of a registry; *registry.Client is one.
type Registry interface {
	catalog.Facts
	inputs.Resolver
}

// Target is a definition to look at.
type Target struct {
	Repository string `json:"repository"`
	// Ref is a branch, tag or commit. Default: HEAD.
	Ref string `json:"ref,omitempty"`
	// Directory is the context's, Dockerfile the file's path in it. Defaults: the repository's root and "Dockerfile".
	Directory  string `json:"directory,omitempty"`
	Dockerfile string `json:"dockerfile,omitempty"`
	// Image is one of a file that describes several, see Survey.Load.Compilers. Default: all of them.
	Image  string            `json:"image,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// String is "repository", and what else there is to say: "repository directory file image".
func (t Target) String() string {
	s := t.Repository
	if t.Directory != "" && t.Directory != "." {
		s += " " + t.Directory
	}
	if t.Dockerfile != "" {
		s += " " + t.Dockerfile
	}
	if t.Image != "" {
		s += " " + t.Image
	}
	return s
}

// Result is what became of a target, or of one image of a target that describes several.
type Result struct {
	// Target is the one that was given, with Image set where its file describes several.
	Target Target `json:"target"`
	// Commit is what was looked at.
	Commit string `json:"commit,omitempty"`
	// Move is what would be moved; nil when nothing is.
	Move *Move `json:"move,omitempty"`
	// Refused are the findings for which the definition would not be built.
	Refused []finding.Finding `json:"refused,omitempty"`
	// Err is why there is no answer.
	Err error `json:"-"`
}

// Run looks at targets and calls each with what came of them, one call at a time, in the order in which they are done:
// once for a target, or for each image that a target describes. A target that fails stops no other. It returns ctx's error, or the first that each returns, which ends the run.
func (s *Survey) Run(ctx context.Context, targets iter.Seq[Target], each func(Result) error) error {
	workers := s.Workers
	if workers <= 0 {
		workers = 8
	}
	shared := share(s.Registry)
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan Target)
	group.Go(func() error {
		defer close(queue)
		for t := range targets {
			select {
			case queue <- t:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	var mu sync.Mutex
	for range workers {
		group.Go(func() error {
			for t := range queue {
				results := s.target(ctx, t, shared)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				mu.Lock()
				err := everyOne(results, each)
				mu.Unlock()
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func everyOne(results []Result, each func(Result) error) error {
	for _, r := range results {
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

// One looks at one target. Of a file that describes several images it is the first; see [Survey.Run] for all.
func (s *Survey) One(ctx context.Context, t Target) Result { return s.target(ctx, t, s.Registry)[0] }

// target looks at all that a target describes, one result at least.
func (s *Survey) target(ctx context.Context, t Target, registry Registry) []Result {
	timeout := s.Timeout
	if timeout == 0 {
		timeout = 2 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	opts := s.Load
	opts.Dir, opts.Dockerfile, opts.Targets = t.Directory, t.Dockerfile, nil
	if t.Image != "" {
		opts.Targets = []string{t.Image}
	}
	if s.Login != nil {
		opts.Auth = s.Login(t.Repository)
	}
	opts.AllowAbsent = true // submodules and large files do not change what a definition stands on
	defs, err := source.LoadAll(ctx, t.Repository, t.Ref, opts)
	if err != nil {
		return []Result{{Target: t, Err: err}}
	}
	var results []Result
	for _, def := range defs {
		if len(defs) > 1 {
			t.Image = def.Build.Target
		}
		results = append(results, s.one(ctx, def, t, registry))
	}
	return results
}

func (s *Survey) one(ctx context.Context, def *definition.Definition, t Target, registry Registry) Result {
	r := Result{Target: t, Commit: def.Source.Commit}
	plan, err := s.plan(ctx, def, t, registry)
	if err != nil {
		r.Err = err
		return r
	}
	for _, f := range def.Written(plan.Findings) {
		if f.Severity == finding.Error && f.Suppressed == nil {
			r.Refused = append(r.Refused, f)
		}
	}
	r.Move, r.Err = Of(def, plan)
	return r
}

func (s *Survey) plan(ctx context.Context, def *definition.Definition, t Target, registry Registry) (*catalog.Plan, error) {
	opts := inputs.Options{Platforms: s.Platforms, Resolver: registry}
	if b := def.Build; b.Target != "" { // what a higher-level definition says
		opts.Target, opts.Args, opts.Contexts = b.Stage, b.Args, b.Contexts
		if len(opts.Platforms) == 0 {
			opts.Platforms = b.Platforms
		}
	}
	list, err := inputs.List(ctx, def, opts)
	if err != nil {
		return nil, err
	}
	now := time.Now //nolint:forbidigo // the default of a clock that can be given
	if s.Now != nil {
		now = s.Now
	}
	return s.Catalog.Plan(ctx, catalog.Question{
		Project: catalog.Project{Repository: def.Source.Repository, Directory: def.Source.Directory, Labels: t.Labels},
		Inputs:  list, At: now(),
	}, registry)
}
