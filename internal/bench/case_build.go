package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/plimsoll-dev/plimsoll/internal/bench/compare"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

// coldBuildCase builds with new engines and empty caches each time.
func coldBuildCase() compare.Case {
	return compare.Case{
		Name: "build-cold",
		Doc:  "build the quickstart's service (three stages, a Go compiler run) with an empty cache",
		Setup: func(ctx context.Context, env compare.Env, _ int) ([]compare.Side, func() error, error) {
			req, stop, err := service()
			if err != nil {
				return nil, nil, err
			}
			sides := builders(ctx, env, func(name string, start start) compare.Side {
				return coldSide(env, name, start, req)
			})
			return sides, func() error { stop(); return nil }, nil
		},
	}
}

// warmBuildCase builds what was built before, with engines that go on running.
func warmBuildCase() compare.Case {
	return compare.Case{
		Name: "build-warm",
		Doc:  "build the quickstart's service again with nothing changed, 10 times",
		Setup: func(ctx context.Context, env compare.Env, _ int) ([]compare.Side, func() error, error) {
			req, stop, err := service()
			if err != nil {
				return nil, nil, err
			}
			var running []*engine
			down := func() error {
				stop()
				var errs []error
				for _, e := range running {
					errs = append(errs, e.stop())
				}
				return errors.Join(errs...)
			}
			sides := builders(ctx, env, func(name string, start start) compare.Side {
				e, err := start(ctx, filepath.Join(env.Dir, name))
				if err != nil {
					return compare.Side{Missing: err.Error()}
				}
				running = append(running, e)
				return warmSide(env, name, e, req)
			})
			return sides, down, nil
		},
	}
}

// builders makes a side for each home: ours with each executor, and buildkitd.
func builders(ctx context.Context, env compare.Env, side func(name string, start start) compare.Side) []compare.Side {
	runc, runcErr := exec.LookPath("runc")
	ours := side("embedded", inProcess(""))
	ours.Name, ours.Kind = "embedded, own executor", compare.Ours
	withRunc := compare.Side{Missing: "runc is not in the PATH"}
	if runcErr == nil {
		withRunc = side("embedded-runc", inProcess(runc))
	}
	withRunc.Name, withRunc.Kind = "embedded, runc", compare.Ours
	buildkitd, missing := compare.Tool(ctx, env, "buildkitd")
	peer := compare.Side{Missing: missing}
	if missing == "" {
		peer = side("buildkitd", daemon(buildkitd))
	}
	peer.Name, peer.Kind = "buildkitd and client, runc", compare.Peer
	return []compare.Side{ours, withRunc, peer}
}

func coldSide(env compare.Env, name string, start start, req build.Request) compare.Side {
	return compare.Side{Do: func(ctx context.Context, round int) (work compare.Work, err error) {
		state := filepath.Join(env.Dir, fmt.Sprintf("%s-%d", name, round))
		if err := resetPeak(); err != nil {
			return work, err
		}
		e, err := start(ctx, state)
		if err != nil {
			return work, err
		}
		defer func() { err = errors.Join(err, e.stop()) }()
		return built(ctx, e, req, filepath.Join(env.Dir, fmt.Sprintf("%s-%d.layout", name, round)))
	}}
}

func warmSide(env compare.Env, name string, e *engine, req build.Request) compare.Side {
	layout := func(round, n int) string {
		return filepath.Join(env.Dir, fmt.Sprintf("%s-%d-%d.layout", name, round, n))
	}
	return compare.Side{
		Prepare: func(ctx context.Context, round int) error {
			_, err := built(ctx, e, req, layout(round, -1))
			return err
		},
		Do: func(ctx context.Context, round int) (work compare.Work, err error) {
			for n := range 10 {
				if work, err = built(ctx, e, req, layout(round, n)); err != nil {
					return work, err
				}
			}
			return work, nil
		},
	}
}

// built builds once. Engines differ in provenance and times, so that what was done is told by the manifest's layers.
func built(ctx context.Context, e *engine, req build.Request, layout string) (compare.Work, error) {
	req.Layout = layout
	result, err := e.Build(ctx, req)
	if err != nil {
		return compare.Work{}, err
	}
	manifest, err := result.Index.IndexManifest()
	if err != nil {
		return compare.Work{}, err
	}
	peak, err := peakMemory(e.pid)
	if err != nil {
		return compare.Work{}, err
	}
	return compare.Work{
		Done:    fmt.Sprintf("%d image of %d steps", len(manifest.Manifests), len(result.Steps)),
		Figures: map[string]float64{"MiB at most": float64(peak >> 20)},
	}, nil
}
