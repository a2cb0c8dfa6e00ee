package source_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

// gitServer is git's own HTTP server for one repository. It counts the packs it was asked for.
type gitServer struct {
	*httptest.Server
	packs atomic.Int32
	// before may answer a request itself; it then returns true.
	before func(w http.ResponseWriter, r *http.Request) bool
}

func serve(t *testing.T, dir string) *gitServer {
	t.Helper()
	path, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	if err != nil {
		t.Skip("needs git:", err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null"},
	}
	s := &gitServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.before != nil && s.before(w, r) {
			return
		}
		if strings.HasSuffix(r.URL.Path, "/git-upload-pack") {
			s.packs.Add(1)
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// history is a repository with four commits on main, an annotated tag at the first and a branch at the second.
func history(t *testing.T) (r *repo, ids [4]string) {
	t.Helper()
	r = newRepo(t)
	for i, name := range []string{"first", "second", "third", "fourth"} {
		ids[i] = r.commit(map[string]string{"Dockerfile": "FROM " + name + "\n", "data/" + name: strings.Repeat(name, 100)})
	}
	r.tag("v1", ids[0])
	r.ref("refs/heads/old", ids[1])
	return r, ids
}

func TestLoadHTTP(t *testing.T) {
	r, ids := history(t)
	for _, allow := range []string{"false", "true"} {
		r.configure(func(c *config.Config) { c.Raw.Section("uploadpack").SetOption("allowReachableSHA1InWant", allow) })
		server := serve(t, r.dir)
		all := 4 // commits fetched for an id that no reference has
		if allow == "true" {
			all = 1
		}
		tests := []struct {
			name, ref, want string
			commits         int // that were fetched
		}{
			{"HEAD", "", ids[3], 1},
			{"branch", "old", ids[1], 1},
			{"full name", "refs/heads/old", ids[1], 1},
			{"annotated tag", "v1", ids[0], 1},
			{"id at a tip", ids[1], ids[1], 1},
			{"id of a tag's commit", ids[0], ids[0], 1},
			{"id in the history", ids[2], ids[2], all},
			{"short id", ids[0][:8], ids[0], 4},
		}
		for _, test := range tests {
			t.Run(test.name+" allow "+allow, func(t *testing.T) {
				cache := t.TempDir()
				for _, dir := range []string{"", cache, cache} {
					d, err := source.Load(t.Context(), server.URL+"/.git", test.ref, source.Options{CacheDir: dir})
					if err != nil {
						t.Fatal(err)
					}
					want := definition.Source{
						Repository: server.URL + "/.git", Ref: test.ref, Commit: test.want, CommitTime: commitTime.UTC(),
						Directory: ".", Dockerfile: "Dockerfile",
					}
					if diff := cmp.Diff(want, d.Source); diff != "" {
						t.Errorf("source (-want +got):\n%s", diff)
					}
					if err := fstest.TestFS(d.Context, "Dockerfile", "data/first"); err != nil {
						t.Error(err)
					}
				}
				entries, err := os.ReadDir(cache)
				if err != nil || len(entries) != 1 {
					t.Fatalf("cache holds %v, %v", entries, err)
				}
				if got := countCommits(t, filepath.Join(cache, entries[0].Name())); got != test.commits {
					t.Errorf("%d commits were fetched, want %d", got, test.commits)
				}
			})
		}
	}
}

func countCommits(t *testing.T, dir string) (n int) {
	t.Helper()
	r, err := git.PlainOpen(dir)
	if err != nil {
		t.Fatal(err)
	}
	iter, err := r.CommitObjects()
	if err != nil {
		t.Fatal(err)
	}
	if err := iter.ForEach(func(*object.Commit) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCacheSavesTheTransfer(t *testing.T) {
	r, ids := history(t)
	server := serve(t, r.dir)
	opts := source.Options{CacheDir: filepath.Join(t.TempDir(), "made", "for", "us")}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := source.Load(t.Context(), server.URL+"/.git", "main", opts); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	before := server.packs.Load()
	for _, ref := range []string{"main", ids[3], ""} {
		if _, err := source.Load(t.Context(), server.URL+"/.git", ref, opts); err != nil {
			t.Error(err)
		}
	}
	if after := server.packs.Load(); after != before {
		t.Errorf("%d more packs were sent", after-before)
	}
	if entries, err := os.ReadDir(opts.CacheDir); err != nil || len(entries) != 1 {
		t.Errorf("cache holds %v, %v", entries, err)
	}
	server.before = func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "no", http.StatusUnauthorized)
		return true
	}
	if _, err := source.Load(t.Context(), server.URL+"/.git", ids[3], opts); !errors.Is(err, source.ErrLogin) {
		t.Errorf("who may not read the repository got it from the cache: %v", err)
	}
}

func TestLogin(t *testing.T) {
	r, _ := history(t)
	server := serve(t, r.dir)
	server.before = func(w http.ResponseWriter, req *http.Request) bool {
		if user, password, _ := req.BasicAuth(); user == "dev" && password == "s3cret" || user == "git" && password == "t0ken" {
			return false
		}
		w.Header().Set("WWW-Authenticate", "Basic")
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	address := strings.TrimPrefix(server.URL, "http://") + "/.git"
	tests := []struct {
		name, url string
		auth      source.Auth
		ok        bool
	}{
		{"none", "http://" + address, source.Auth{}, false},
		{"options", "http://" + address, source.Auth{User: "dev", Password: "s3cret"}, true},
		{"token", "http://" + address, source.Auth{Password: "t0ken"}, true},
		{"URL", "http://dev:s3cret@" + address, source.Auth{}, true},
		{"token in the URL", "http://git:t0ken@" + address, source.Auth{}, true},
		{"options before URL", "http://dev:s3cret@" + address, source.Auth{User: "dev", Password: "wr0ng"}, false},
		{"wrong in the URL", "http://dev:wr0ng@" + address, source.Auth{}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := source.Load(t.Context(), test.url, "main", source.Options{Auth: test.auth})
			printed := ""
			if err != nil {
				printed = err.Error()
			}
			switch {
			case test.ok && err != nil:
				t.Fatal(err)
			case test.ok:
				printed = d.Source.Repository
			case !errors.Is(err, source.ErrLogin):
				t.Errorf("error is %v, want %v", err, source.ErrLogin)
			}
			for _, secret := range []string{"s3cret", "t0ken", "wr0ng", "dev"} {
				if strings.Contains(printed, secret) {
					t.Errorf("%q is printed: %s", secret, printed)
				}
			}
		})
	}
}

func TestServerTrouble(t *testing.T) {
	r, _ := history(t)
	empty := newRepo(t)
	status := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(code)
			return true
		}
	}
	inPack := func(answer string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost {
				return false
			}
			w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
			_, _ = io.WriteString(w, answer)
			panic(http.ErrAbortHandler)
		}
	}
	tests := []struct {
		name, dir string
		before    func(http.ResponseWriter, *http.Request) bool
		opts      source.Options
		check     func(error) bool
	}{
		{"empty repository", empty.dir, nil, source.Options{}, is(source.ErrEmptyRepository)},
		{"not found", r.dir, status(404), source.Options{}, is(source.ErrNoRepository)},
		{"unauthorized", r.dir, status(401), source.Options{}, is(source.ErrLogin)},
		{"forbidden", r.dir, status(403), source.Options{}, is(source.ErrLogin)},
		{"broken", r.dir, status(500), source.Options{}, contains("500")},
		{"too many requests", r.dir, status(429), source.Options{}, contains("429")},
		{"closed half way", r.dir, inPack("0008NAK\n0010\x01PACK\x00\x00\x00\x02"), source.Options{}, contains("EOF")},
		{"closed at once", r.dir, inPack(""), source.Options{}, contains("EOF")},
		{"too much to send", r.dir, nil, source.Options{MaxFetch: 400}, contains("over the limit MaxFetch of 400")},
		{"too much unpacked", r.dir, nil, source.Options{MaxFetch: 1500}, contains("over the limit MaxFetch of 1500")},
	}
	for _, test := range tests {
		for _, cached := range []bool{false, true} {
			if cached && test.name == "too much unpacked" {
				continue // nothing is unpacked into the cache
			}
			t.Run(test.name+map[bool]string{true: " with cache", false: ""}[cached], func(t *testing.T) {
				server := serve(t, test.dir)
				server.before = test.before
				if cached {
					test.opts.CacheDir = t.TempDir()
				}
				_, err := source.Load(t.Context(), server.URL+"/.git", "", test.opts)
				if err == nil || !test.check(err) {
					t.Errorf("unexpected error: %v", err)
				}
				var load *source.LoadError
				if !errors.As(err, &load) || load.Repository != server.URL+"/.git" {
					t.Errorf("error does not say which repository: %v", err)
				}
				if cached {
					checkEmpty(t, test.opts.CacheDir)
				}
			})
		}
	}
	_, err := source.Load(t.Context(), serve(t, r.dir).URL+"/.git", "nope", source.Options{})
	var ref *source.RefError
	if !errors.As(err, &ref) {
		t.Fatalf("error is %v, want a RefError", err)
	}
	if diff := cmp.Diff(&source.RefError{Ref: "nope", Known: []string{"main", "old", "v1"}}, ref); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func contains(text string) func(error) bool {
	return func(err error) bool { return strings.Contains(err.Error(), text) }
}

func checkEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s was left behind", e.Name())
	}
}

// TestCancel cancels while the server keeps its answer, or the rest of it, to itself.
func TestCancel(t *testing.T) {
	r, _ := history(t)
	for _, where := range []string{http.MethodGet, http.MethodPost, "middle"} {
		t.Run(where, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			ctx, cancel := context.WithCancel(t.Context())
			server := serve(t, r.dir)
			defer server.Close()
			server.before = func(w http.ResponseWriter, req *http.Request) bool {
				if req.Method != where && (where != "middle" || req.Method != http.MethodPost) {
					return false
				}
				if where == "middle" {
					_, _ = io.WriteString(w, "0008NAK\n0010\x01PACK\x00\x00\x00\x02")
					_ = http.NewResponseController(w).Flush()
				}
				_, _ = io.Copy(io.Discard, req.Body) // else the server does not see the client go
				cancel()
				<-req.Context().Done()
				return true
			}
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			dir := t.TempDir()
			_, err := source.Load(ctx, server.URL+"/.git", "", source.Options{CacheDir: dir, HTTP: &http.Client{Transport: transport}})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v, want %v", err, context.Canceled)
			}
			checkEmpty(t, dir)
		})
	}
}

func TestContextIsSafeForConcurrentUse(t *testing.T) {
	r, _ := history(t)
	server := serve(t, r.dir)
	for _, repository := range []string{r.dir, server.URL + "/.git"} {
		d, err := source.Load(t.Context(), repository, "", source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				err := fs.WalkDir(d.Context, ".", func(name string, e fs.DirEntry, err error) error {
					if err == nil && e.Type().IsRegular() {
						_, err = fs.ReadFile(d.Context, name)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
}
