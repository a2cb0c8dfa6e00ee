package buildservice_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/internal/store"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// second starts another process of the same service, as if on another host, and returns what stops it.
func (s *site) second(name string) func() {
	s.t.Helper()
	opts := s.opts
	opts.Dir = filepath.Join(s.Dir, name)
	log, err := audit.Open(filepath.Join(s.Dir, name+"-audit"), audit.Options{Name: name})
	if err != nil {
		s.t.Fatal(err)
	}
	opts.Audit, opts.Metrics = log, nil
	other, err := buildservice.New(s.t.Context(), opts)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- other.Run(ctx) }()
	return func() {
		cancel()
		if err := errors.Join(<-done, other.Close(), log.Close()); err != nil {
			s.t.Error(err)
		}
	}
}

func TestSeveralHostsShareTheWork(t *testing.T) {
	s := newSite(t, func(o *buildservice.Options) { o.Workers = -1; o.TeamRunning = 2 }) // this host only answers
	s.opts.Database = testenv.Postgres(t)
	gate := make(chan struct{})
	begun := make(chan struct{}, 9)
	s.Hook = buildUntil(begun, gate)
	s.start()
	s.opts.Workers = 1
	stops := []func(){s.second("one"), s.second("two")}
	var ids []string
	for _, dir := range []string{"a", "b", "c", "d"} {
		ids = append(ids, s.ask(s.request(dir)).ID)
	}
	<-begun
	<-begun // one on each host
	var log string
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		s.call("ana", "GET", "/v1/builds/"+ids[0]+"/logs", nil, &log)
	}()
	var cancelled api.Build
	s.call("ops", "POST", "/v1/builds/"+ids[1]+"/cancel", nil, &cancelled) // by a host that does not have it
	if got := s.wait(ids[1]); got.State != api.Cancelled {
		t.Errorf("the cancelled build is %s: %s", got.State, got.Reason)
	}
	close(gate)
	for _, id := range []string{ids[0], ids[2], ids[3]} {
		if got := s.wait(id); got.State != api.Succeeded {
			t.Errorf("the build is %s: %s", got.State, got.Reason)
		}
	}
	<-followed
	if !strings.Contains(log, "copied 2") || !strings.Contains(log, "event: end") {
		t.Errorf("a log of another host:\n%s", log)
	}
	for _, stop := range stops {
		stop()
	}
}

func TestASilentHostIsTakenOver(t *testing.T) {
	s := newSite(t, func(o *buildservice.Options) { o.Workers = -1 })
	s.opts.Database = testenv.Postgres(t)
	s.start()
	b := s.ask(s.request("a"))
	dead, err := store.OpenPostgres(t.Context(), s.opts.Database) // a host that begins the build and loses its power
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	if _, err := dead.Beat(t.Context(), "dead", "host"); err != nil {
		t.Fatal(err)
	}
	released, err := dead.Dispatch(t.Context(), store.Limits{Backlog: 1, Lost: time.Minute})
	if err != nil || len(released) != 1 {
		t.Fatalf("released %v, %v", released, err)
	}
	run, err := dead.Begin(t.Context(), b.ID, released[0].Run, "dead")
	if err != nil {
		t.Fatal(err)
	}
	s.opts.Workers = 1
	stop := s.second("two")
	defer stop()
	began := time.Now()
	if got := s.wait(b.ID); got.State != api.Succeeded || got.Runs != 2 {
		t.Errorf("the build is %s after %d runs: %s", got.State, got.Runs, got.Reason)
	}
	t.Logf("taken over and built after %s", time.Since(began).Round(time.Millisecond))
	for what, err := range map[string]error{
		"publish": run.Publishing(t.Context(), "inputs", "sha256:0"),
		"end it":  run.End(t.Context(), store.Ending{State: api.Failed}),
	} {
		if !errors.Is(err, store.ErrLost) {
			t.Errorf("the dead host comes back and may %s: %v", what, err)
		}
	}
}

// An example of a registry where developers pull and only the service pushes: Debian's docker-registry with htpasswd, and
// in front of it a rule that only the service's user may write. The registry itself knows no rights of users.
func TestOnlyTheServicePushes(t *testing.T) {
	testenv.NeedsProgram(t, "htpasswd")
	dir := t.TempDir()
	users := filepath.Join(dir, "htpasswd")
	for i, name := range []string{"service", "dev"} {
		args := []string{"-Bb", users, name, "secret-" + name}
		if i == 0 {
			args[0] = "-Bbc"
		}
		if out, err := exec.CommandContext(t.Context(), "htpasswd", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	backend := testenv.DockerRegistry(t, fmt.Sprintf("auth: {htpasswd: {realm: plimsoll, path: %q}}\n", users))
	front := httptest.NewServer(pushersOnly(backend, "service"))
	defer front.Close()
	host := strings.TrimPrefix(front.URL, "http://")
	as := func(name string) *registry.Client {
		c := registry.New(registry.Options{Retries: -1, Keychain: keychain{name}})
		t.Cleanup(c.Close)
		return c
	}
	image, err := registrytest.Image(map[string]string{"x": "y"}, registrytest.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	index, err := registrytest.Index(image)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := as("dev").Push(t.Context(), host+"/pay/app", index, registry.PushOptions{Tags: []string{"1.0"}}); err == nil {
		t.Error("a developer pushed")
	}
	pushed, err := as("service").Push(t.Context(), host+"/pay/app", index, registry.PushOptions{Tags: []string{"1.0"}})
	if err != nil {
		t.Fatal(err)
	}
	if digest, err := as("dev").Resolve(t.Context(), host+"/pay/app:1.0"); err != nil || digest != pushed.DigestStr() {
		t.Errorf("a developer pulls %s, %v", digest, err)
	}
	if _, err := as("stranger").Resolve(t.Context(), host+"/pay/app:1.0"); err == nil {
		t.Error("a stranger pulled")
	}
}

// pushersOnly passes requests on, those that write only from one user: what a few lines of a proxy's configuration do.
func pushersOnly(backend, user string) http.Handler {
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: backend})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, ok := r.BasicAuth()
		if r.Method != http.MethodGet && r.Method != http.MethodHead && ok && name != user {
			http.Error(w, `{"errors": [{"code": "DENIED"}]}`, http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r) // the registry itself asks for the password
	})
}

type keychain struct{ user string }

// Resolve implements [authn.Keychain].
func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: k.user, Password: "secret-" + k.user}, nil
}

func TestOrphansAreFound(t *testing.T) {
	const builder = "https://builds.example"
	s := newSite(t, nil)
	key, err := attest.GenerateKey(attest.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	store := attest.NewStore(s.Client, attest.StoreOptions{})
	s.opts.Delivery = func(context.Context, string) (pipeline.Delivery, error) {
		d := s.Delivery()
		d.Evidence = &pipeline.Evidence{Signer: key, Store: store, Builder: builder}
		return d, nil
	}
	s.start()
	r := s.request("a")
	r.Tags = []string{"1.0"}
	if got := s.wait(s.ask(r).ID); got.State != api.Succeeded {
		t.Fatalf("the build is %s: %s", got.State, got.Reason)
	}
	orphan, err := s.Server.Push(t.Context(), "pay/a:hotfix", mustImage(t))
	if err != nil {
		t.Fatal(err)
	}
	policy := attest.Policy{Trust: attest.Keys{{Name: "service", Key: key.Public()}}, At: time.Now(), Builders: []string{builder}, UnsafeAnySource: true}
	for range 2 { // marks are not found again
		found, err := buildservice.Orphans(t.Context(), s.Client, store, []string{s.Server.Ref("pay/a"), s.Server.Ref("pay/none")}, policy, "orphan")
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != 1 || found[0].Rule != buildservice.RuleOrphan || !strings.HasSuffix(found[0].Place.Image, orphan) || !strings.Contains(found[0].Message, "hotfix") {
			t.Errorf("found %v, want %s alone", found, orphan)
		}
	}
	marked, err := s.Client.Resolve(t.Context(), s.Server.Ref("pay/a:orphan-"+strings.TrimPrefix(orphan, "sha256:")[:12]))
	if err != nil || marked != orphan {
		t.Errorf("the mark means %s, %v", marked, err)
	}
}
