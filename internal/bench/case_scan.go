package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/internal/bench/compare"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/scan"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/sqlite"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

const (
	// scanConnections is how many requests each side has under way.
	scanConnections = 8
	// scanTags is how many images a repository holds.
	scanTags = 100
	// scanByProgram is up to how many images programs are started for each: they take minutes for more.
	scanByProgram = 1000
)

// scanCase reads every image of a registry for the first time.
func scanCase() compare.Case {
	return compare.Case{
		Name: "scan", Doc: "read manifest and config of every image of a registry into the lineage index, 8 requests at a time", Unit: "images",
		Sizes: []int{100, 1000, 10_000}, Quick: 100,
		Setup: func(ctx context.Context, env compare.Env, size int) ([]compare.Side, func() error, error) {
			s, err := newShelf(ctx, env.Dir, size)
			if err != nil {
				return nil, nil, err
			}
			sides := []compare.Side{
				{Name: "plimsoll, first scan", Kind: compare.Ours, Do: func(ctx context.Context, round int) (compare.Work, error) {
					return s.scan(ctx, fmt.Sprintf("first-%d.db", round))
				}},
				s.program(ctx, env, "crane", func(path, ref string) [][]string {
					return [][]string{{path, "manifest", "--insecure", ref}, {path, "config", "--insecure", ref}}
				}),
				s.program(ctx, env, "regctl", func(path, ref string) [][]string {
					return [][]string{{path, "manifest", "get", "--format", "raw-body", ref}, {path, "image", "config", ref}}
				}),
				{Name: "bare GETs", Kind: compare.Floor, Do: s.bare},
			}
			return sides, s.close, nil
		},
	}
}

// rescanCase reads the same registry again, in which nothing has changed.
func rescanCase() compare.Case {
	return compare.Case{
		Name: "scan-again", Doc: "scan a registry again in which nothing has changed", Unit: "images",
		Sizes: []int{100, 1000, 10_000}, Quick: 100,
		Setup: func(ctx context.Context, env compare.Env, size int) ([]compare.Side, func() error, error) {
			s, err := newShelf(ctx, env.Dir, size)
			if err != nil {
				return nil, nil, err
			}
			const known = "known.db"
			if _, err := s.scan(ctx, known); err != nil {
				return nil, nil, errors.Join(err, s.close())
			}
			sides := []compare.Side{
				{Name: "plimsoll, second scan", Kind: compare.Ours, Do: func(ctx context.Context, _ int) (compare.Work, error) { return s.scan(ctx, known) }},
				{Name: "plimsoll, first scan", Kind: compare.Peer, Do: func(ctx context.Context, round int) (compare.Work, error) {
					return s.scan(ctx, fmt.Sprintf("again-%d.db", round))
				}},
			}
			return sides, s.close, nil
		},
	}
}

// shelf is a registry full of images, and where the indexes of its scans are kept.
type shelf struct {
	server       *registrytest.Server
	dir          string
	repositories []string
	refs         []string
	manifests    []string // where their bytes are, as a URL
	configs      []string
}

func newShelf(ctx context.Context, dir string, size int) (*shelf, error) {
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		return nil, err
	}
	s := &shelf{
		server: server, dir: dir,
		refs: make([]string, size), manifests: make([]string, size), configs: make([]string, size),
	}
	for i := 0; i < size; i += scanTags {
		s.repositories = append(s.repositories, fmt.Sprintf("%s/team/app%d", server.Host, i/scanTags))
	}
	base, err := registrytest.Image(map[string]string{"etc/os-release": "12"}, registrytest.ImageOptions{})
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range size {
		group.Go(func() error { return s.fill(ctx, i, base) })
	}
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *shelf) close() error { return s.server.Close() }

func (s *shelf) fill(ctx context.Context, i int, base v1.Image) error {
	img, err := registrytest.Image(map[string]string{"app": fmt.Sprint(i)}, registrytest.ImageOptions{Base: base})
	if err != nil {
		return err
	}
	repository := s.repositories[i/scanTags]
	tag := fmt.Sprintf("1.0.%d", i%scanTags)
	_, path, _ := strings.Cut(repository, "/")
	if _, err := s.server.Push(ctx, path+":"+tag, img); err != nil {
		return err
	}
	config, err := img.ConfigName()
	s.refs[i] = repository + ":" + tag
	s.manifests[i] = "http://" + s.server.Host + "/v2/" + path + "/manifests/" + tag
	s.configs[i] = "http://" + s.server.Host + "/v2/" + path + "/blobs/" + config.String()
	return err
}

// done is what all sides have to say.
func (s *shelf) done(images int64) string { return fmt.Sprintf("%d images", images) }

// scan fills the index in a file and counts what is in it.
func (s *shelf) scan(ctx context.Context, file string) (compare.Work, error) {
	client := registry.New(registry.Options{})
	defer client.Close()
	begin := time.Now()
	store, err := sqlite.Open(ctx, filepath.Join(s.dir, file), sqlite.Options{})
	if err != nil {
		return compare.Work{}, err
	}
	scanner := scan.Scanner{Registry: client, Store: store, Options: scan.Options{Connections: scanConnections}}
	result, err := scanner.Scan(ctx, scan.What{Repositories: s.repositories})
	if err := errors.Join(err, store.Close()); err != nil {
		return compare.Work{}, err
	}
	took := time.Since(begin)
	if len(result.Problems) > 0 {
		return compare.Work{}, fmt.Errorf("%d problems, the first: %v", len(result.Problems), result.Problems[0])
	}
	images, err := count(ctx, filepath.Join(s.dir, file), s.refs)
	return compare.Work{Done: s.done(images), Took: took, Figures: map[string]float64{"requests": float64(result.Requests)}}, err
}

// count opens an index and says for how many references it knows an image.
func count(ctx context.Context, file string, refs []string) (int64, error) {
	store, err := sqlite.Open(ctx, file, sqlite.Options{})
	if err != nil {
		return 0, err
	}
	defer store.Close()
	missing := map[string]bool{}
	for _, ref := range refs {
		missing[ref] = true
	}
	for tag, err := range store.Tags(ctx, lineage.TagFilter{Current: true}) {
		if err != nil {
			return 0, err
		}
		delete(missing, tag.Repository+":"+tag.Name)
	}
	return int64(len(refs) - len(missing)), nil
}

// program is a loop that starts a program for each image's manifest and config.
func (s *shelf) program(ctx context.Context, env compare.Env, name string, commands func(path, ref string) [][]string) compare.Side {
	side := compare.Side{Name: name + ", a process each", Kind: compare.Peer}
	if len(s.refs) > scanByProgram {
		side.Missing = fmt.Sprintf("would take minutes for %d images: see the smaller amounts", len(s.refs))
		return side
	}
	path, missing := compare.Tool(ctx, env, name)
	home := filepath.Join(env.Dir, "home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		missing = err.Error()
	}
	if name == "regctl" && missing == "" {
		set := exec.CommandContext(ctx, path, "registry", "set", "--tls", "disabled", s.server.Host)
		set.Env = []string{"HOME=" + home}
		if out, err := set.CombinedOutput(); err != nil {
			missing = string(out)
		}
	}
	side.Missing = missing
	side.Do = func(ctx context.Context, _ int) (compare.Work, error) {
		images, err := s.each(ctx, func(ctx context.Context, i int) error {
			for _, args := range commands(path, s.refs[i]) {
				cmd := exec.CommandContext(ctx, args[0], args[1:]...)
				cmd.Env = []string{"HOME=" + home}
				out, err := cmd.Output()
				if err != nil {
					return err
				}
				if !json.Valid(out) {
					return fmt.Errorf("%s prints no JSON: %.60q", strings.Join(args, " "), out)
				}
			}
			return nil
		})
		return compare.Work{Done: s.done(images)}, err
	}
	return side
}

// bare reads what a scan must read, over as many connections, and forgets it.
func (s *shelf) bare(ctx context.Context, _ int) (compare.Work, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: scanConnections}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	get := func(ctx context.Context, url string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var body bytes.Buffer
		if _, err := body.ReadFrom(resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", url, resp.Status)
		}
		return nil
	}
	images, err := s.each(ctx, func(ctx context.Context, i int) error {
		if err := get(ctx, s.manifests[i]); err != nil {
			return err
		}
		return get(ctx, s.configs[i])
	})
	return compare.Work{Done: s.done(images), Figures: map[string]float64{"requests": float64(2 * images)}}, err
}

// each does something for every image, as many at a time as there may be requests.
func (s *shelf) each(ctx context.Context, one func(ctx context.Context, i int) error) (int64, error) {
	var images atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(scanConnections)
	for i := range s.refs {
		group.Go(func() error {
			if err := one(ctx, i); err != nil {
				return err
			}
			images.Add(1)
			return nil
		})
	}
	err := group.Wait()
	return images.Load(), err
}
