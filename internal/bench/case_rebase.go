package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/internal/bench/compare"
	"github.com/plimsoll-dev/plimsoll/internal/distribution"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// rebaseJobs is how many images each side moves at a time.
const rebaseJobs = 4

func rebaseCase(name, doc string, latency time.Duration, sizes ...int) compare.Case {
	return compare.Case{
		Name: name, Doc: doc, Unit: "images", Sizes: sizes, Quick: 20,
		Setup: func(ctx context.Context, env compare.Env, size int) ([]compare.Side, func() error, error) {
			if missing := distribution.Missing(); missing != "" {
				return nil, nil, errors.New(missing)
			}
			y, err := newRebaseYard(ctx, env.Dir, latency)
			if err != nil {
				return nil, nil, err
			}
			return y.sides(ctx, env, size), y.close, nil
		},
	}
}

// rebaseYard is a registry with two bases, and a proxy before it that counts requests and makes each wait.
type rebaseYard struct {
	server    *distribution.Server
	proxy     *httptest.Server
	requests  atomic.Int64
	client    *registry.Client
	host      string
	old, next v1.Image
	from, to  string // the bases by digest
}

func newRebaseYard(ctx context.Context, dir string, latency time.Duration) (*rebaseYard, error) {
	server, err := distribution.Start(ctx, distribution.Debian, dir, "")
	if err != nil {
		return nil, err
	}
	y := &rebaseYard{server: server}
	target := &url.URL{Scheme: "http", Host: server.Host}
	forward := &httputil.ReverseProxy{
		// The host stays the proxy's, so that the registry names the proxy in its answers.
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		ErrorLog:  log.New(io.Discard, "", 0), // clients that go away
	}
	y.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		y.requests.Add(1)
		time.Sleep(latency)
		forward.ServeHTTP(w, r)
	}))
	y.host = strings.TrimPrefix(y.proxy.URL, "http://")
	y.client = registry.New(registry.Options{})
	for _, base := range []struct {
		version string
		img     *v1.Image
		ref     *string
	}{{"12.8", &y.old, &y.from}, {"12.9", &y.next, &y.to}} {
		img, err := registrytest.Image(map[string]string{"etc/os-release": base.version, "usr/share/data": strings.Repeat(base.version, 1000)}, registrytest.ImageOptions{})
		if err != nil {
			return y, errors.Join(err, y.close())
		}
		if *base.ref, err = y.put(ctx, "base", img, base.version, ""); err != nil {
			return y, errors.Join(err, y.close())
		}
		*base.img = img
	}
	return y, nil
}

func (y *rebaseYard) close() error {
	y.client.Close()
	y.proxy.Close()
	return y.server.Stop()
}

// put pushes an image past the proxy's count and wait. Layers that a base has are mounted.
func (y *rebaseYard) put(ctx context.Context, repository string, img v1.Image, tag, base string) (string, error) {
	w, err := y.client.Writer(ctx, y.server.Host+"/"+repository, y.server.Host+"/base")
	if err != nil {
		return "", err
	}
	layers, err := img.Layers()
	if err != nil {
		return "", err
	}
	for i, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return "", err
		}
		if base != "" && i == 0 {
			_, err = w.Mount(ctx, y.server.Host+"/base", digest)
		} else {
			err = w.Layer(ctx, layer)
		}
		if err != nil {
			return "", err
		}
	}
	config, errConfig := img.RawConfigFile()
	manifest, errManifest := img.RawManifest()
	mediaType, errType := img.MediaType()
	if err := errors.Join(errConfig, errManifest, errType); err != nil {
		return "", err
	}
	if err := w.Blob(ctx, config); err != nil {
		return "", err
	}
	ref, err := w.Manifest(ctx, tag, mediaType, manifest)
	return y.host + "/" + repository + "@" + ref.DigestStr(), err
}

// fleet is what one side moves in one round: images on the old base, and what they should be on the new one.
type fleet struct {
	repositories []string
	refs         []string // by digest
	want         []v1.Image
}

// fleet pushes fresh images to fresh repositories, so that no side profits from what another one mounted.
func (y *rebaseYard) fleet(ctx context.Context, name string, round, size int) (*fleet, error) {
	f := &fleet{repositories: make([]string, size), refs: make([]string, size), want: make([]v1.Image, size)}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range size {
		group.Go(func() error {
			f.repositories[i] = fmt.Sprintf("%s-%d/app%d", name, round, i)
			files := map[string]string{"app/server": f.repositories[i]}
			img, err := registrytest.Image(files, registrytest.ImageOptions{Base: y.old})
			if err != nil {
				return err
			}
			if f.want[i], err = registrytest.Image(files, registrytest.ImageOptions{Base: y.next}); err != nil {
				return err
			}
			f.refs[i], err = y.put(ctx, f.repositories[i], img, "1", "base")
			return err
		})
	}
	return f, group.Wait()
}

// check compares what the tags name now with what they should: the layers, in their order.
func (y *rebaseYard) check(ctx context.Context, f *fleet) (string, error) {
	for i, repository := range f.repositories {
		got, err := y.client.Get(ctx, y.server.Host+"/"+repository+":1")
		if err != nil {
			return "", err
		}
		if got.Image == nil {
			return "", fmt.Errorf("%s is an index now", repository)
		}
		have, err := got.Image.Manifest()
		if err != nil {
			return "", err
		}
		want, err := f.want[i].Manifest()
		if err != nil {
			return "", err
		}
		same := slices.EqualFunc(have.Layers, want.Layers, func(a, b v1.Descriptor) bool { return a.Digest == b.Digest })
		if !same {
			return "", fmt.Errorf("%s has other layers than the same image built on the new base", repository)
		}
	}
	return fmt.Sprintf("%d images have the layers of a build on the new base", len(f.repositories)), nil
}

// side makes a side out of what moves one image.
func (y *rebaseYard) side(name string, kind compare.Kind, size int, missing string, start func() func(ctx context.Context, f *fleet, i int) error) compare.Side {
	word, _, _ := strings.Cut(name, " ")
	var now *fleet
	return compare.Side{
		Name: name, Kind: kind, Missing: missing,
		Prepare: func(ctx context.Context, round int) (err error) {
			now, err = y.fleet(ctx, strings.ToLower(word), round, size)
			return err
		},
		Do: func(ctx context.Context, _ int) (compare.Work, error) {
			before, begin, one := y.requests.Load(), time.Now(), start()
			group, moving := errgroup.WithContext(ctx)
			group.SetLimit(rebaseJobs)
			for i := range size {
				group.Go(func() error { return one(moving, now, i) })
			}
			if err := group.Wait(); err != nil {
				return compare.Work{}, err
			}
			work := compare.Work{Took: time.Since(begin)}
			work.Figures = map[string]float64{"requests an image": float64(y.requests.Load()-before) / float64(size)}
			var err error
			work.Done, err = y.check(ctx, now)
			return work, err
		},
	}
}

func (y *rebaseYard) sides(ctx context.Context, env compare.Env, size int) []compare.Side {
	crane, noCrane := compare.Tool(ctx, env, "crane")
	regctl, noRegctl := compare.Tool(ctx, env, "regctl")
	home := filepath.Join(env.Dir, "home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		noRegctl = err.Error()
	}
	insecure := exec.CommandContext(ctx, regctl, "registry", "set", "--tls", "disabled", y.host)
	if insecure.Env = []string{"HOME=" + home}; noRegctl == "" {
		if out, err := insecure.CombinedOutput(); err != nil {
			noRegctl = string(out)
		}
	}
	program := func(path string, args func(f *fleet, i int) []string) func() func(context.Context, *fleet, int) error {
		return func() func(context.Context, *fleet, int) error {
			return func(ctx context.Context, f *fleet, i int) error {
				cmd := exec.CommandContext(ctx, path, args(f, i)...)
				cmd.Env = []string{"HOME=" + home}
				if out, err := cmd.CombinedOutput(); err != nil {
					return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
				}
				return nil
			}
		}
	}
	tagged := func(f *fleet, i int) string { return y.host + "/" + f.repositories[i] + ":1" }
	return []compare.Side{
		y.side("plimsoll (seen for the first time)", compare.Ours, size, "", y.ours),
		y.side("crane rebase", compare.Peer, size, noCrane, program(crane, func(f *fleet, i int) []string {
			return []string{"rebase", tagged(f, i), "--old_base", y.from, "--new_base", y.to, "--tag", tagged(f, i)}
		})),
		y.side("regctl image mod", compare.Peer, size, noRegctl, program(regctl, func(f *fleet, i int) []string {
			return []string{"image", "mod", tagged(f, i), "--replace", "--rebase-ref", y.from + "," + y.to}
		})),
		y.side("bare requests", compare.Floor, size, "", y.bare),
	}
}

// ours judges and moves with a new mover, which knows nothing yet.
func (y *rebaseYard) ours() func(ctx context.Context, f *fleet, i int) error {
	mover := rebuild.NewMover(y.client, nil)
	return func(ctx context.Context, f *fleet, i int) error {
		repository, digest, _ := strings.Cut(f.refs[i], "@")
		order := rebuild.Order{
			Repository: repository, Digest: digest, Tags: []string{"1"}, From: y.from, To: y.to,
			Evidence: func(context.Context, v1.Hash) (rebuild.Evidence, error) {
				return rebuild.Evidence{Grade: lineage.GradeBuild, RuntimeOnly: true}, nil
			},
			// The images are made without a builder, so their history names no COPY.
			Policy: rebuild.Policy{Runs: true},
			Names:  rebuild.Names{Base: y.host + "/base:12.9"},
		}
		plan, err := mover.Plan(ctx, order)
		if err != nil {
			return err
		}
		_, err = mover.Rebase(ctx, order, plan)
		return err
	}
}

// bare sends the fewest requests that read an image with its own layer and put it on another base, and thinks about
// nothing.
func (y *rebaseYard) bare() func(ctx context.Context, f *fleet, i int) error {
	return func(ctx context.Context, f *fleet, i int) error {
		repository, _, _ := strings.Cut(f.refs[i], "@")
		got, err := y.client.Get(ctx, f.refs[i])
		if err != nil {
			return err
		}
		var manifest v1.Manifest
		if err := json.Unmarshal(got.Manifest, &manifest); err != nil {
			return err
		}
		for _, desc := range []v1.Descriptor{manifest.Config, manifest.Layers[1]} {
			if _, err := y.client.Blob(ctx, repository, desc); err != nil {
				return err
			}
		}
		next, err := f.want[i].Manifest()
		if err != nil {
			return err
		}
		w, err := y.client.Writer(ctx, repository, y.host+"/base")
		if err != nil {
			return err
		}
		if _, err := w.Mount(ctx, y.host+"/base", next.Layers[0].Digest); err != nil {
			return err
		}
		config, err := f.want[i].RawConfigFile()
		if err != nil {
			return err
		}
		if err := w.Blob(ctx, config); err != nil {
			return err
		}
		if _, err := y.client.Resolve(ctx, repository+":1"); err != nil {
			return err
		}
		raw, err := f.want[i].RawManifest()
		if err != nil {
			return err
		}
		mediaType, err := f.want[i].MediaType()
		if err != nil {
			return err
		}
		_, err = w.Manifest(ctx, "1", mediaType, raw)
		return err
	}
}
