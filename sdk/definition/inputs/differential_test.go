//go:build linux

package inputs_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/staticfs"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/embedded"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/inputs"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// definitions is how many generated definitions are built and compared.
const definitions = 250

// TestBuildReadsWhatWasListed builds generated definitions with BuildKit, with nothing between it and the registry, and
// compares what it asks the registry and a web server for with what was listed before.
func TestBuildReadsWhatWasListed(t *testing.T) {
	if testing.Short() {
		t.Skip("needs time: builds 250 definitions")
	}
	testenv.NeedsRoot(t)
	b, err := embedded.Start(t.Context(), embedded.Options{State: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	srv, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	w := startWeb(t)
	c := registry.New(registry.Options{})
	t.Cleanup(c.Close)

	var compared, images atomic.Int64
	var group errgroup.Group
	group.SetLimit(4)
	for seed := range uint64(definitions) {
		group.Go(func() error {
			g := generate(seed, srv.Host, w.host)
			for ref, img := range g.images {
				if _, err := srv.Push(t.Context(), ref, img); err != nil {
					return err
				}
			}
			file, err := definition.Parse("Dockerfile", []byte(g.dockerfile))
			if err != nil {
				return fmt.Errorf("%w\n%s", err, g.dockerfile)
			}
			list, listErr := inputs.List(t.Context(), &definition.Definition{File: file}, inputs.Options{
				Resolver: c, Platforms: g.platforms, Args: g.args, Target: g.target, BuildPlatform: "linux/" + runtime.GOARCH,
			})
			before := len(srv.Requests())
			buildErr := solve(t, b.Client(), g)
			if listErr != nil {
				if buildErr == nil {
					t.Errorf("%d: BuildKit builds it, but: %v\n%s", seed, listErr, g.dockerfile)
				}
				return nil
			}
			read := g.own(registrytest.Manifests(srv.Requests()[before:]))
			compared.Add(1)
			images.Add(int64(len(read)))
			compare(t, g, list, read, g.own(w.paths()))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d definitions compared, %d images read by tag", compared.Load(), images.Load())
	if compared.Load() < 200 {
		t.Errorf("only %d of %d definitions could be compared", compared.Load(), definitions)
	}
}

// compare wants the images that were read to be those that were listed, and no more to be fetched from the web than was
// listed: what BuildKit does not need in the end it does not fetch.
func compare(t *testing.T, g *generated, list []catalog.Input, images, web []string) {
	t.Helper()
	listed, fetched := map[string]bool{}, map[string]bool{}
	for _, in := range list {
		switch _, path, _ := strings.Cut(strings.TrimPrefix(in.Ref, "http://"), "/"); in.Kind {
		case catalog.KindImage:
			listed[path] = true
		case catalog.KindHTTP:
			fetched[path] = true
		}
	}
	if diff := cmp.Diff(images, slices.Sorted(maps.Keys(listed))); diff != "" {
		t.Errorf("images (-read +listed):\n%s\n%s", diff, g.dockerfile)
	}
	for _, path := range web {
		if !fetched[path] {
			t.Errorf("%s was fetched and not listed\n%s", path, g.dockerfile)
		}
	}
}

// solve builds without a source policy and without a result. A step may fail: all that is read is asked for before.
func solve(t *testing.T, c *client.Client, g *generated) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	attrs := map[string]string{"platform": strings.Join(g.platforms, ","), "target": g.target, "build-arg:SOURCE_DATE_EPOCH": "0"}
	for name, value := range g.args {
		attrs["build-arg:"+name] = value
	}
	dockerfile, empty := staticfs.NewFS(), staticfs.NewFS()
	dockerfile.Add("Dockerfile", &types.Stat{Mode: 0o644}, []byte(g.dockerfile))
	empty.Add("local", &types.Stat{Mode: 0o644}, []byte("local"))
	_, err := c.Solve(ctx, nil, client.SolveOpt{
		Frontend:      "dockerfile.v0",
		FrontendAttrs: attrs,
		LocalMounts:   map[string]fsutil.FS{"dockerfile": dockerfile, "context": empty},
	}, nil)
	if ctx.Err() != nil {
		t.Errorf("BuildKit did not end within a minute:\n%s", g.dockerfile)
	}
	return err
}

// web serves a file at every path and knows which were asked for.
type web struct {
	host string

	mu    sync.Mutex
	asked []string
}

func startWeb(t *testing.T) *web {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &web{host: listener.Addr().String()}
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: w}
	go srv.Serve(listener)
	t.Cleanup(func() { srv.Close() })
	return w
}

func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.asked = append(w.asked, strings.TrimPrefix(r.URL.Path, "/"))
	w.mu.Unlock()
	fmt.Fprint(rw, "content")
}

func (w *web) paths() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

// generated is one definition and the images that it may read. Their names, and the paths on the web server, begin with
// dir.
type generated struct {
	dir        string
	dockerfile string
	args       map[string]string
	target     string
	platforms  []string
	images     map[string]v1.ImageIndex
}

// own returns what is the definition's own among names, sorted.
func (g *generated) own(names []string) []string {
	own := map[string]bool{}
	for _, name := range names {
		if strings.HasPrefix(name, g.dir+"/") {
			own[name] = true
		}
	}
	return slices.Sorted(maps.Keys(own))
}
