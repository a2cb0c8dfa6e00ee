package blackbox

import (
	"cmp"
	"context"
	"errors"
	"io"
	"regexp"
	"sync"
	"testing"

	"github.com/cucumber/godog"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

func (s *Suite) run(ctx context.Context, t *testing.T) (*Verdict, error) { //nolint:thelper // t is what scenarios are subtests of
	options := s.Options.orDefault()
	v := &Verdict{Reference: s.Reference, Tool: options.Tool, Version: options.Version, Started: options.Now()}
	defer func() { v.Duration = options.Now().Sub(v.Started) }()
	if s.Features == nil {
		return v, errors.New("the suite has no Features")
	}
	images, digest, err := s.images(options)
	if err != nil {
		return v, err
	}
	v.Digest = digest
	v.Reference = cmp.Or(s.Reference, digest.String())
	if s.Runtime != nil {
		v.Runtime = s.Runtime.Name()
		if weak, ok := s.Runtime.(sandbox.WeakRuntime); ok {
			v.Weaknesses = weak.Weaknesses()
		}
	}
	library, files, err := s.read(options)
	if err != nil {
		return v, err
	}
	v.Features = files.all
	for _, image := range images {
		p, err := makePlan(files, options, library)
		if err != nil {
			return v, err
		}
		v.Problems = files.problems
		result, err := s.platform(ctx, t, image, p, options, len(images) > 1)
		v.Platforms = append(v.Platforms, result)
		if ctx.Err() != nil {
			return v, context.Cause(ctx)
		}
		if err != nil {
			return v, err
		}
	}
	return v, nil
}

// read returns the steps that the suite understands, and its features.
func (s *Suite) read(options Options) (*library, *features, error) {
	library, err := newLibrary(options.Steps)
	if err != nil {
		return nil, nil, err
	}
	files, err := readFeatures(s.Features, s.Paths)
	return library, files, err
}

// platform runs the plan on one platform's image. The error is of instances that could not be removed.
func (s *Suite) platform(ctx context.Context, t *testing.T, image *Image, p *plan, options Options, several bool) (PlatformResult, error) { //nolint:thelper // as above
	result := PlatformResult{Platform: image.Platform, Digest: image.Digest}
	if p.needsRuntime() {
		if err := canRun(ctx, s.Runtime, image.Platform); err != nil {
			result.Untested = err.Error()
		}
	}
	r := &run{suite: s, options: options, image: image, plan: p, untested: result.Untested, pool: newPool(ctx, s.Runtime)}
	if t != nil && several {
		t.Run(image.Platform, func(t *testing.T) {
			r.godog(ctx, t)
			if result.Untested != "" {
				t.Skip(result.Untested)
			}
		})
	} else {
		r.godog(ctx, t)
	}
	for _, s := range p.order {
		// A scenario that go test's -run left out did not run, and is no part of the result.
		if s.began {
			result.Scenarios = append(result.Scenarios, s.result)
		}
	}
	return result, r.pool.close()
}

// canRun asks a runtime whether it can run a platform. One that can't say is taken to run every platform: the first
// instance will tell.
func canRun(ctx context.Context, runtime sandbox.Runtime, platform string) error {
	if p, ok := runtime.(sandbox.PlatformRuntime); ok {
		return p.CanRun(ctx, platform)
	}
	return nil
}

// run is the run of a plan on one platform.
type run struct {
	suite    *Suite
	options  Options
	image    *Image
	plan     *plan
	untested string
	pool     *pool

	telling sync.Mutex
	done    int // scenarios that have ended
}

// ended tells who wants to know.
func (r *run) ended(s ScenarioResult) {
	if r.options.Done == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	r.done++
	r.options.Done(s, r.done, len(r.plan.order))
}

// anyStep matches every step: which one it is was looked up when the plan was made.
var anyStep = regexp.MustCompile(`(?s)^.*$`)

func (r *run) godog(ctx context.Context, t *testing.T) { //nolint:thelper // as above
	if len(r.plan.order) == 0 {
		return
	}
	suite := r.plan.godog(ctx, t)
	suite.Options.Concurrency = r.options.Concurrency
	suite.ScenarioInitializer = func(sc *godog.ScenarioContext) {
		var s *Scenario
		sc.Before(func(ctx context.Context, pickle *godog.Scenario) (context.Context, error) {
			s = newScenario(r, r.plan.byID[pickle.Id])
			return s.begin(ctx), nil
		})
		sc.Step(anyStep, func(ctx context.Context) error { return s.step(ctx) })
		sc.After(func(ctx context.Context, _ *godog.Scenario, _ error) (context.Context, error) {
			s.end(ctx)
			return ctx, nil
		})
	}
	suite.Run() // its exit code says less than the results
}

// godog returns the suite that runs the plan. Strict is always on.
func (p *plan) godog(ctx context.Context, t *testing.T) godog.TestSuite { //nolint:thelper // as above
	return godog.TestSuite{Name: "plimsoll", Options: &godog.Options{
		Strict: true, NoColors: true, Format: "progress", Output: io.Discard, DefaultContext: ctx, TestingT: t,
		FS: p.features.runnable, Paths: p.features.paths, Tags: p.tags,
	}}
}
