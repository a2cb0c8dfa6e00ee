// Package storms kills a storm again and again while it moves images, with a registry that fails on top, and then counts:
// no image was lost, none was replaced twice, every tag names what it should, all evidence is there once, and every image is
// whole.
//
// The program that uses it starts itself as the worker: [Worker] is what gets killed.
package storms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/internal/harbour"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/sqlite"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

const (
	campaign = "soak"
	busy     = "busy" // a file: the worker writes to the registry
)

// Options of a soak. All but Proxy and Out are required.
type Options struct {
	// Dir is an empty directory for everything.
	Dir string
	// Kills is how often the worker is killed, Images how many images there are, Faults how many the registry injects.
	Kills, Images, Faults int
	// Self is the command that calls [Worker] with the directory and the registry's address.
	Self func(ctx context.Context, dir, host string) *exec.Cmd
	// Proxy, if set, stands between worker and registry: it is told the registry's address, returns one of its own, and a
	// function that makes the line bad in another way each time.
	Proxy func(ctx context.Context, registry string) (host string, worse func(n int) error, err error)
	// Out is told how it goes.
	Out io.Writer
}

// ships are the images by number: most are rebased, some built again, some stand on others.
func ships(n int) []harbour.Ship {
	var all []harbour.Ship
	for i := range n {
		s := harbour.Ship{Name: fmt.Sprintf("soak/i%03d", i), Owner: fmt.Sprintf("team%d", i%3)}
		switch i % 4 {
		case 1:
			s.Files = map[string]string{harbour.Changed: "own"}
		case 2:
			s.On = all[i-2].Name
		case 3:
			s.On = all[i-2].Name
		}
		all = append(all, s)
	}
	return all
}

// Worker works on the storm of a directory until ctx ends.
func Worker(ctx context.Context, dir, host string, images int) error {
	client := registry.New(registry.Options{Backoff: 10 * time.Millisecond, Stall: 2 * time.Second, Transport: slow{&http.Transport{MaxIdleConnsPerHost: 8}, sync.OnceFunc(func() {
		_ = os.WriteFile(filepath.Join(dir, busy), nil, 0o600) // the killer waits for it no longer than it has to
	})}})
	defer client.Close()
	index, err := sqlite.Open(ctx, filepath.Join(dir, "lineage.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer index.Close()
	h, err := harbour.Open(ctx, host, client, index, ships(images))
	if err != nil {
		return err
	}
	key, err := readKey(dir)
	if err != nil {
		return err
	}
	r, err := runner.Open(ctx, runner.Options{
		Database: filepath.Join(dir, "storm.db"), Registry: client, Lineage: index, Canary: -1, Workers: 2, Limits: runner.Limits{Total: 2}, Lost: 2 * time.Second,
		Attempts: 1000, Backoff: 20 * time.Millisecond, Breaker: runner.Breaker{Rate: 1},
		Evidence: &runner.Evidence{Signer: key, Store: attest.NewStore(client, attest.StoreOptions{}), Trust: attest.Keys{{Key: key.Public()}}, Builder: "https://soak.example", Now: time.Now},
		Engines: []runner.Engine{{Name: "here", Slots: 2, Rebuilder: runner.RebuilderFunc(func(ctx context.Context, r runner.Request) (string, error) {
			select { // as if something was built
			case <-time.After(time.Duration(rand.IntN(100)) * time.Millisecond):
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
			return h.Rebuild(ctx, &r.Item)
		})}},
	})
	if err != nil {
		return err
	}
	return errors.Join(r.Run(ctx), r.Close())
}

// slow makes each request take a while, so that kills meet them, and says when the first one writes.
type slow struct {
	http.RoundTripper
	busy func()
}

// RoundTrip implements [http.RoundTripper].
func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.busy()
	}
	time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
	return s.RoundTripper.RoundTrip(r)
}

func readKey(dir string) (*attest.Key, error) {
	pem, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	if err != nil {
		return nil, err
	}
	return attest.LoadKey(pem, []byte("soak"))
}

// soak is one under way.
type soak struct {
	Options

	server  *registrytest.Server
	host    string // as images are named
	harbour *harbour.Harbour
	runner  *runner.Runner
	key     *attest.Key
	before  map[string]string
}

// Run soaks. An error is something that must not be.
func Run(ctx context.Context, opts Options) (err error) {
	s := &soak{Options: opts, before: map[string]string{}}
	if s.server, err = registrytest.Start(registrytest.Options{}); err != nil {
		return err
	}
	defer s.server.Close()
	s.host = s.server.Host
	worse := func(int) error { return nil }
	if s.Proxy != nil {
		if s.host, worse, err = s.Proxy(ctx, s.server.Host); err != nil {
			return err
		}
	}
	client := registry.New(registry.Options{})
	defer client.Close()
	index, err := sqlite.Open(ctx, filepath.Join(s.Dir, "lineage.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer index.Close()
	if s.harbour, err = harbour.New(ctx, s.host, client, index); err != nil {
		return err
	}
	for _, ship := range ships(s.Images) {
		if s.before[ship.Name], err = s.harbour.Build(ctx, ship); err != nil {
			return err
		}
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	defer s.runner.Close()
	s.server.Reset()
	began := time.Now()
	for n := range s.Kills {
		if err := s.killed(ctx, n, worse); err != nil {
			return err
		}
		if (n+1)%10 == 0 {
			status, err := s.runner.Status(ctx, campaign)
			if err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "killed %d times in %s: %+v\n", n+1, time.Since(began).Round(time.Second), status.Waves)
		}
	}
	if err := worse(-1); err != nil {
		return err
	}
	if err := s.finish(ctx); err != nil {
		return err
	}
	return s.count(ctx)
}

// prepare writes the key and what is to be done.
func (s *soak) prepare(ctx context.Context) error {
	key, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		return err
	}
	pem, err := key.MarshalEncrypted([]byte("soak"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "key.pem"), pem, 0o600); err != nil {
		return err
	}
	s.key = key
	if s.runner, err = runner.Open(ctx, runner.Options{Database: filepath.Join(s.Dir, "storm.db"), Registry: s.harbour.Client, Workers: -1, Canary: -1}); err != nil {
		return err
	}
	planner := &storm.Planner{
		Lineage: s.harbour.Lineage, Mover: s.runner.Mover(), Policy: func(catalog.Project, string) rebuild.Policy { return harbour.Policy() },
	}
	p, err := planner.Preview(ctx, s.harbour.Question(campaign))
	if err != nil {
		return err
	}
	if len(p.Items) != s.Images || len(p.Problems()) > 0 {
		return fmt.Errorf("the preview has %d images, %d cannot be fixed: %+v", len(p.Items), len(p.Problems()), p.Problems())
	}
	_, err = s.runner.Start(ctx, p)
	return err
}

// faults are what the registry does wrong.
var faults = []registrytest.Fault{
	registrytest.Status(http.StatusTooManyRequests, nil), registrytest.Status(http.StatusInternalServerError, nil),
	registrytest.CutRequest(20), registrytest.CutResponse(20), registrytest.Status(http.StatusBadGateway, nil),
}

// killed starts the worker and kills it after a while.
func (s *soak) killed(ctx context.Context, n int, worse func(int) error) error {
	for range (s.Faults + s.Kills - 1) / max(s.Kills, 1) {
		method := []string{http.MethodPut, http.MethodPost, http.MethodGet, http.MethodHead, http.MethodPatch}[rand.IntN(5)]
		s.server.Inject(registrytest.Rule{Method: method, Path: fmt.Sprintf("/i%03d/", rand.IntN(s.Images)), Times: 1, Fault: faults[rand.IntN(len(faults))]})
	}
	if err := worse(n); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(s.Dir, busy)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	cmd := s.Self(ctx, s.Dir, s.host)
	cmd.Stderr = s.Out
	if err := cmd.Start(); err != nil {
		return err
	}
	for range 1000 {
		if _, err := os.Stat(filepath.Join(s.Dir, busy)); err == nil || ctx.Err() != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(time.Duration(rand.IntN(1500)) * time.Millisecond)
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	return context.Cause(ctx)
}

// finish lets a last worker do the rest.
func (s *soak) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := s.Self(ctx, s.Dir, s.host)
	cmd.Stderr = s.Out
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	status, err := s.runner.Wait(ctx, campaign, nil)
	if err == nil && status.State != runner.Done {
		err = fmt.Errorf("the campaign is %s: %s", status.State, status.Reason)
	}
	return err
}

// count looks at every image.
func (s *soak) count(ctx context.Context) error {
	outcomes, err := s.runner.Outcomes(ctx, campaign)
	if err != nil {
		return err
	}
	set := map[string]int{} // how often each tag was set
	for _, r := range s.server.Requests() {
		if r.Method == http.MethodPut && strings.HasSuffix(r.Path, "/manifests/1.0") && r.Status == http.StatusCreated {
			set[strings.TrimSuffix(strings.TrimPrefix(r.Path, "/v2/"), "/manifests/1.0")]++
		}
	}
	s.server.Reset()
	if len(outcomes) != s.Images {
		return fmt.Errorf("%d of %d images are known", len(outcomes), s.Images)
	}
	var wrong []error
	doubled, runs := 0, 0
	for _, o := range outcomes {
		name := strings.TrimPrefix(o.Repository, s.host+"/")
		runs += o.Runs
		if o.State != "done" {
			wrong = append(wrong, fmt.Errorf("lost: %s is %s: %s", name, o.State, o.Reason))
			continue
		}
		now, err := s.harbour.Client.Resolve(ctx, o.Repository+":1.0")
		if err != nil {
			return err
		}
		if o.Result != o.Repository+"@"+now {
			wrong = append(wrong, fmt.Errorf("wrong tag: %s is %s, the record says %s", name, now, o.Result))
		}
		if set[name] != 1 {
			doubled++
			wrong = append(wrong, fmt.Errorf("doubled: the tag of %s was set %d times", name, set[name]))
		}
		if err := s.harbour.Check(ctx, name, s.before[name]); err != nil {
			wrong = append(wrong, err)
		}
		if err := s.evidence(ctx, o.Result); err != nil {
			wrong = append(wrong, err)
		}
	}
	fmt.Fprintf(s.Out, "%d images in %d runs: %d wrong, %d of them doubled\n", len(outcomes), runs, len(wrong), doubled)
	return errors.Join(wrong...)
}

// evidence looks whether an image has its evidence, once for each digest.
func (s *soak) evidence(ctx context.Context, reference string) error {
	repository, _, _ := strings.Cut(reference, "@")
	image, err := attest.NewStore(s.harbour.Client, attest.StoreOptions{}).Image(ctx, reference)
	if err != nil {
		return err
	}
	for _, digest := range image.Digests() {
		list, err := s.harbour.Client.Referrers(ctx, repository+"@"+digest.String())
		if err != nil {
			return err
		}
		if n := bundles(list); n != 1 {
			return fmt.Errorf("%s@%s has %d statements about it, want 1", repository, digest, n)
		}
	}
	return nil
}

func bundles(list []v1.Descriptor) int {
	seen := map[v1.Hash]bool{}
	for _, d := range list {
		seen[d.Digest] = true
	}
	return len(seen)
}
