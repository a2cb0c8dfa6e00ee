package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/internal/bench/compare"
	"github.com/plimsoll-dev/plimsoll/internal/harbour"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/sqlite"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// stormPlanCase previews a ban over a lineage index that is warm: every image was judged before.
func stormPlanCase() compare.Case {
	return compare.Case{
		Name: "storm-plan", Doc: "preview a ban: judge every image on a base, from a warm lineage index", Unit: "images", Sizes: []int{1000, 10_000}, Quick: 200,
		Setup: func(ctx context.Context, env compare.Env, size int) ([]compare.Side, func() error, error) {
			y, err := newStormYard(ctx, env.Dir, size)
			if err != nil {
				return nil, nil, err
			}
			return []compare.Side{
				{Name: "plimsoll", Kind: compare.Ours, Do: y.preview},
				{Name: "the graph and the tags alone", Kind: compare.Floor, Do: y.read},
			}, y.close, nil
		},
	}
}

// stormYard is a registry with images and what a lineage index in SQLite knows of them.
type stormYard struct {
	*harbour.Harbour

	server *registrytest.Server
	index  lineage.Store
	runner *runner.Runner
	size   int
}

func newStormYard(ctx context.Context, dir string, size int) (*stormYard, error) {
	y := &stormYard{size: size}
	var err error
	if y.server, err = registrytest.Start(registrytest.Options{}); err != nil {
		return nil, err
	}
	client := registry.New(registry.Options{})
	if y.index, err = sqlite.Open(ctx, filepath.Join(dir, "lineage.db"), sqlite.Options{}); err != nil {
		return nil, err
	}
	if y.Harbour, err = harbour.New(ctx, y.server.Host, client, y.index); err != nil {
		return nil, err
	}
	group, building := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range size {
		group.Go(func() error {
			_, err := y.Build(building, harbour.Ship{Name: fmt.Sprintf("team%d/app%d", i%20, i), Owner: fmt.Sprintf("team%d", i%20)})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err, y.server.Close())
	}
	if y.runner, err = runner.Open(ctx, runner.Options{Database: filepath.Join(dir, "storm.db"), Registry: client, Workers: -1}); err != nil {
		return nil, err
	}
	_, err = y.preview(ctx, 0) // warm
	return y, err
}

func (y *stormYard) close() error {
	y.Client.Close()
	return errors.Join(y.runner.Close(), y.index.Close(), y.server.Close())
}

func (y *stormYard) preview(ctx context.Context, _ int) (compare.Work, error) {
	y.server.Reset()
	runtime.GC()
	began := time.Now()
	planner := &storm.Planner{
		Lineage: y.index, Mover: y.runner.Mover(), Past: y.runner, Policy: func(catalog.Project, string) rebuild.Policy { return harbour.Policy() },
	}
	p, err := planner.Preview(ctx, y.Question("bench"))
	if err != nil {
		return compare.Work{}, err
	}
	took := time.Since(began)
	if n := len(p.Waves); n != 1 || p.Waves[0].Rebases != y.size {
		return compare.Work{}, fmt.Errorf("%+v", p.Waves)
	}
	return compare.Work{
		Took: took, Done: fmt.Sprintf("%d images found", len(p.Items)),
		Figures: map[string]float64{"requests an image": float64(len(y.server.Requests())) / float64(y.size)},
	}, nil
}

// read finds the images and their names, and judges nothing.
func (y *stormYard) read(ctx context.Context, _ int) (compare.Work, error) {
	began := time.Now()
	var digests []string
	for v, err := range lineage.Derived(ctx, y.index, y.Question("bench").Of, lineage.Options{}) {
		if err != nil {
			return compare.Work{}, err
		}
		digests = append(digests, v.Image.Digest)
	}
	found := map[string]bool{}
	for len(digests) > 0 {
		part := digests[:min(1000, len(digests))]
		digests = digests[len(part):]
		for tag, err := range y.index.Tags(ctx, lineage.TagFilter{Digests: part, Current: true}) {
			if err != nil {
				return compare.Work{}, err
			}
			found[tag.Repository+tag.Digest] = true
		}
	}
	return compare.Work{Took: time.Since(began), Done: fmt.Sprintf("%d images found", len(found))}, nil
}
