// Command soak kills a build service again and again while it builds, and then counts: every build that was accepted is
// over, each definition was published once, with its evidence, and the queue was at work again within seconds.
//
//	go run ./internal/soak -kills 100
//
// The same for a storm of rebuilds, on a line that Toxiproxy makes bad (latency, resets, cuts) and a registry that answers 429
// and 500 (package storms):
//
//	go run ./internal/soak -storms -kills 100 -images 200
//
// It starts itself as the service, with a registry in this process and a builder that takes a while; SIGKILL comes at
// random moments.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/shop"
	"github.com/plimsoll-dev/plimsoll/internal/soak/storms"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/client"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

const (
	builder = "https://soak.example/builds"
	token   = "plimsoll_soak"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	kills := flag.Int("kills", 100, "how often the service is killed")
	served := flag.String("serve", "", "be the service of this directory (used by the program itself)")
	host := flag.String("registry", "", "the registry of -serve")
	stormy := flag.Bool("storms", false, "kill a storm of rebuilds instead")
	images := flag.Int("images", 200, "how many images a storm has")
	var err error
	flag.Parse()
	switch {
	case *stormy && *served != "":
		err = storms.Worker(ctx, *served, *host, *images)
	case *stormy:
		err = soakStorm(ctx, *kills, *images, os.Stdout)
	case *served != "":
		err = serve(ctx, *served, *host)
	default:
		err = soak(ctx, *kills, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1) //nolint:gocritic // the deferred stop has nothing left to do
	}
}

// serve is the service that gets killed.
func serve(ctx context.Context, dir, host string) error {
	s := &shop.Shop{Dir: dir, Repository: filepath.Join(dir, "repository")}
	if err := s.Connect(host); err != nil {
		return err
	}
	s.Hook = func(ctx context.Context, _ build.Request) error {
		select {
		case <-time.After(time.Duration(50+rand.IntN(250)) * time.Millisecond):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	pem, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	if err != nil {
		return err
	}
	key, err := attest.LoadKey(pem, []byte("soak"))
	if err != nil {
		return err
	}
	log, err := audit.Open(filepath.Join(dir, "audit"), audit.Options{Name: "soak"})
	if err != nil {
		return err
	}
	evidence := &pipeline.Evidence{Signer: key, Store: attest.NewStore(s.Client, attest.StoreOptions{}), Builder: builder}
	service, err := buildservice.New(ctx, buildservice.Options{
		Dir: filepath.Join(dir, "state"), Audit: log, Backoff: 100 * time.Millisecond,
		Callers: callers.Static{Tokens: map[string]string{"soak": callers.HashToken(token)}},
		Projects: []buildservice.Project{{
			Name: "soak", Repository: s.Repository, Publish: host + "/soak/{directory}", Tags: []string{"v*"},
			Grants: []callers.Grant{{Token: "soak", Rights: []callers.Right{callers.Build}}},
		}},
		Delivery: func(context.Context, string) (pipeline.Delivery, error) {
			d := s.Delivery()
			d.Evidence = evidence
			return d, nil
		},
		Limits: buildservice.Limits{Rate: 10_000, Burst: 10_000},
		Log:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := buildservice.Server("", service.Handler())
	go func() { _ = server.Serve(l) }()
	if err := os.WriteFile(filepath.Join(dir, "address.new"), []byte("http://"+l.Addr().String()), 0o600); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, "address.new"), filepath.Join(dir, "address")); err != nil {
		return err
	}
	return errors.Join(service.Run(ctx), server.Close(), service.Close(), log.Close())
}

// run is one soak.
type run struct {
	dir, commit string
	shop        *shop.Shop
	out         io.Writer
	process     *exec.Cmd
	asked       map[string]string // builds by directory
	recovered   []time.Duration
}

func soak(ctx context.Context, kills int, out io.Writer) error {
	dir, err := os.MkdirTemp("", "plimsoll-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := shop.Open(dir, "")
	if err != nil {
		return err
	}
	defer s.Close()
	r := &run{dir: dir, shop: s, out: out, asked: map[string]string{}}
	defer r.kill()
	key, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		return err
	}
	pem, err := key.MarshalEncrypted([]byte("soak"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), pem, 0o600); err != nil {
		return err
	}
	var dirs []string
	for n := range 2 * kills {
		dirs = append(dirs, fmt.Sprintf("d%03d", n))
	}
	if r.commit, err = s.Define(dirs...); err != nil {
		return err
	}
	began := time.Now()
	for n := range kills {
		if err := r.start(ctx); err != nil {
			return err
		}
		if err := r.ask(ctx, dirs[2*n:2*n+2]); err != nil {
			return err
		}
		select {
		case <-time.After(time.Duration(rand.IntN(1200)) * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		r.kill()
		if (n+1)%10 == 0 {
			fmt.Fprintf(out, "killed %d times in %s\n", n+1, time.Since(began).Round(time.Second))
		}
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	return r.count(ctx, attest.Keys{{Name: "soak", Key: key.Public()}})
}

func (r *run) start(ctx context.Context) error {
	if err := os.Remove(filepath.Join(r.dir, "address")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	began := time.Now()
	r.process = exec.CommandContext(ctx, self, "-serve", r.dir, "-registry", r.shop.Server.Host)
	r.process.Stderr = r.out
	if err := r.process.Start(); err != nil {
		return err
	}
	for time.Since(began) < 30*time.Second {
		if address, err := os.ReadFile(filepath.Join(r.dir, "address")); err == nil {
			if answer, err := get(string(address) + "/readyz"); err == nil {
				_ = answer.Body.Close()
				if answer.StatusCode == http.StatusOK {
					r.recovered = append(r.recovered, time.Since(began))
					return nil
				}
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("the service did not become ready within 30 s")
}

func (r *run) kill() {
	if r.process != nil {
		_ = r.process.Process.Signal(syscall.SIGKILL)
		_ = r.process.Wait()
		r.process = nil
	}
}

func (r *run) client() (*client.Client, error) {
	address, err := os.ReadFile(filepath.Join(r.dir, "address"))
	if err != nil {
		return nil, err
	}
	return client.New(string(address), client.Options{Token: client.StaticToken(token)}), nil
}

func (r *run) ask(ctx context.Context, dirs []string) error {
	c, err := r.client()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		b, err := c.Request(ctx, api.Request{Repository: r.shop.Repository, Commit: r.commit, Directory: dir, Tags: []string{"v1"}}, dir)
		if err != nil {
			return err
		}
		r.asked[dir] = b.ID
	}
	return nil
}

// count waits until the queue is empty, and counts what must not be.
func (r *run) count(ctx context.Context, trusted attest.Keys) error {
	c, err := r.client()
	if err != nil {
		return err
	}
	store := attest.NewStore(r.shop.Client, attest.StoreOptions{})
	var lost, twice, bare, runs int
	for dir, id := range r.asked {
		wait, cancel := context.WithTimeout(ctx, 5*time.Minute)
		b, err := c.Wait(wait, id)
		cancel()
		if err != nil {
			return err
		}
		runs += b.Runs
		if b.State != api.Succeeded {
			lost++
			fmt.Fprintf(r.out, "%s: %s: %s\n", dir, b.State, b.Reason)
			continue
		}
		repository := r.shop.Server.Host + "/soak/" + dir
		if n := r.published("/v2/soak/" + dir + "/manifests/sha256:"); n != 1 {
			twice++
			fmt.Fprintf(r.out, "%s: %d indexes were pushed\n", dir, n)
		}
		orphans, err := buildservice.Orphans(ctx, r.shop.Client, store, []string{repository}, attest.Policy{
			Trust: trusted, At: time.Now(), Builders: []string{builder}, Sources: []string{r.shop.Repository},
		}, "")
		if err != nil {
			return err
		}
		if finding.Gate(orphans, finding.Error) != nil || len(r.tagged(ctx, repository)) != 1 {
			bare++
			fmt.Fprintf(r.out, "%s: %v\n", dir, orphans)
		}
	}
	verified, err := audit.Verify(os.DirFS(filepath.Join(r.dir, "audit")), audit.VerifyOptions{})
	if err != nil {
		return err
	}
	slices.Sort(r.recovered)
	slowest := r.recovered[len(r.recovered)-1]
	fmt.Fprintf(r.out, "%d builds in %d runs: %d lost, %d published twice, %d without evidence; ready again after %s (median), %s (slowest); audit log of %d lines: %d findings\n",
		len(r.asked), runs, lost, twice, bare, r.recovered[len(r.recovered)/2].Round(time.Millisecond), slowest.Round(time.Millisecond),
		verified.Lines, len(verified.Findings))
	if lost+twice+bare > 0 || slowest > 10*time.Second || finding.Gate(verified.Findings, finding.Error) != nil {
		return errors.New("that is not as it should be")
	}
	return nil
}

// published counts the different indexes that were pushed by digest below a path, evidence aside.
func (r *run) published(path string) int {
	tagged, err := r.shop.Client.Resolve(context.Background(), r.shop.Server.Host+"/soak/"+strings.Split(path, "/")[3]+":v1")
	if err != nil {
		return 0
	}
	indexes := map[string]bool{tagged: true}
	for _, request := range r.shop.Server.Requests() {
		digest, ok := strings.CutPrefix(request.Path, path)
		if !ok || request.Method != http.MethodPut || request.Status >= 300 {
			continue
		}
		if _, err := r.shop.Client.Index(context.Background(), r.shop.Server.Host+"/soak/"+strings.Split(path, "/")[3]+"@sha256:"+digest); err == nil {
			indexes["sha256:"+digest] = true
		}
	}
	// The fallback tags of referrers are indexes too, but put by tag.
	return len(indexes)
}

func (r *run) tagged(ctx context.Context, repository string) []string {
	tags, err := r.shop.Client.Tags(ctx, repository)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(tags, func(t string) bool { return strings.HasPrefix(t, "sha256-") })
}

func get(address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(req)
}
