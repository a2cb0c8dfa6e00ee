package github_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/forge"
	"github.com/plimsoll-dev/plimsoll/sdk/forge/github"
)

// server speaks as much of GitHub's REST API (version 2022-11-28) as the adapter asks for, in the forms that its
// documentation shows.
type server struct {
	*httptest.Server
	pulls    []map[string]any
	requests []string
	before   func(w http.ResponseWriter, r *http.Request) bool
}

func serve(t *testing.T) (*server, *github.Forge) {
	t.Helper()
	s := &server{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v3/repos/acme/app/pulls", s.list)
	mux.HandleFunc("POST /api/v3/repos/acme/app/pulls", s.create)
	mux.HandleFunc("PATCH /api/v3/repos/acme/app/pulls/{number}", s.edit)
	mux.HandleFunc("GET /api/v3/orgs/acme/repos", func(w http.ResponseWriter, r *http.Request) { s.repos(w, r, "app") })
	mux.HandleFunc("GET /api/v3/users/ada/repos", func(w http.ResponseWriter, r *http.Request) { s.repos(w, r, "dot") })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, 404, map[string]any{"message": "Not Found"}) })
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
		if r.Header.Get("Authorization") != "Bearer ghp_sekret" {
			answer(w, 401, map[string]any{"message": "Bad credentials"})
			return
		}
		if s.before == nil || !s.before(w, r) {
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	f, err := github.New(github.Options{URL: s.URL, Token: "ghp_sekret", Now: func() time.Time { return time.Unix(1000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	return s, f
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// page is a page of a list, with the Link header that leads to the next.
func page(w http.ResponseWriter, r *http.Request, items []map[string]any, size int) {
	n := 1
	_, _ = fmt.Sscan(r.URL.Query().Get("page"), &n)
	from, to := min((n-1)*size, len(items)), min(n*size, len(items))
	if to < len(items) {
		q := r.URL.Query()
		q.Set("page", fmt.Sprint(n+1))
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?%s>; rel="next"`, r.Host, r.URL.Path, q.Encode()))
	}
	answer(w, 200, items[from:to])
}

func (s *server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var found []map[string]any
	for _, p := range slices.Backward(s.pulls) {
		if q.Get("head") == "acme:"+p["head"].(map[string]any)["ref"].(string) && (q.Get("state") == "all" || q.Get("state") == p["state"]) {
			found = append(found, p)
		}
	}
	page(w, r, found, 1)
}

func (s *server) create(w http.ResponseWriter, r *http.Request) {
	var in map[string]any
	_ = json.NewDecoder(r.Body).Decode(&in)
	for _, p := range s.pulls {
		if p["state"] == "open" && p["head"].(map[string]any)["ref"] == in["head"] {
			answer(w, 422, map[string]any{"message": "Validation Failed", "errors": []any{map[string]any{
				"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for acme:" + in["head"].(string) + ".",
			}}})
			return
		}
	}
	if in["head"] == "empty" {
		answer(w, 422, map[string]any{"message": "Validation Failed", "errors": []any{map[string]any{
			"resource": "PullRequest", "code": "custom", "message": "No commits between main and empty",
		}}})
		return
	}
	n := len(s.pulls) + 1
	p := map[string]any{
		"number": n, "html_url": fmt.Sprintf("https://github.example/acme/app/pull/%d", n), "state": "open", "merged_at": nil,
		"title": in["title"], "body": in["body"], "head": map[string]any{"ref": in["head"]}, "base": map[string]any{"ref": in["base"]},
	}
	s.pulls = append(s.pulls, p)
	answer(w, 201, p)
}

func (s *server) edit(w http.ResponseWriter, r *http.Request) {
	n := 0
	_, _ = fmt.Sscan(r.PathValue("number"), &n)
	var in map[string]any
	_ = json.NewDecoder(r.Body).Decode(&in)
	s.pulls[n-1]["title"], s.pulls[n-1]["body"] = in["title"], in["body"]
	answer(w, 200, s.pulls[n-1])
}

func (s *server) repos(w http.ResponseWriter, r *http.Request, prefix string) {
	var items []map[string]any
	for i := range 5 {
		items = append(items, map[string]any{
			"clone_url": fmt.Sprintf("https://github.example/acme/%s%d.git", prefix, i), "default_branch": "main", "archived": i == 3,
		})
	}
	page(w, r, items, 2)
}

func proposal() forge.Proposal {
	return forge.Proposal{Repository: "https://github.example/acme/app.git", Branch: "plimsoll/x", Base: "main", Title: "Use debian:12.9", Body: "Because.", Key: "k1"}
}

func TestPropose(t *testing.T) {
	s, f := serve(t)
	step := func(want forge.State, url string) {
		t.Helper()
		r, err := forge.Propose(t.Context(), f, proposal())
		if err != nil || r.State != want || r.URL != url {
			t.Fatalf("%+v %v; want %s", r, err, want)
		}
	}
	step(forge.Created, "https://github.example/acme/app/pull/1")
	step(forge.Unchanged, "https://github.example/acme/app/pull/1")
	s.pulls[0]["title"] = "edited"
	step(forge.Updated, "https://github.example/acme/app/pull/1")
	s.pulls[0]["state"] = "closed"
	step(forge.Declined, "https://github.example/acme/app/pull/1")
	s.pulls[0]["merged_at"] = "2026-01-02T03:04:05Z"
	step(forge.Created, "https://github.example/acme/app/pull/2")
	s.pulls[1]["merged_at"], s.pulls[1]["state"] = "2026-01-02T03:04:05Z", "closed"
	step(forge.Created, "https://github.example/acme/app/pull/3") // past the pages with those that are over
	if !slices.ContainsFunc(s.requests, func(r string) bool { return strings.Contains(r, "page=2") }) {
		t.Errorf("the second page was not asked for: %v", s.requests)
	}
}

func TestFailures(t *testing.T) {
	s, f := serve(t)
	if _, err := f.Create(t.Context(), proposal()); err != nil {
		t.Fatal(err)
	}
	_, err := f.Create(t.Context(), proposal())
	if !errors.Is(err, forge.ErrExists) || !strings.Contains(err.Error(), "already exists for acme:plimsoll/x") {
		t.Error(err)
	}
	p := proposal()
	p.Branch = "empty"
	if _, err := f.Create(t.Context(), p); !errors.Is(err, forge.ErrRefused) || !strings.Contains(err.Error(), "No commits between") {
		t.Error(err)
	}
	p.Repository = "https://github.example/acme/other"
	if _, err := f.Requests(t.Context(), p); !errors.Is(err, forge.ErrNotFound) {
		t.Error(err)
	}
	p.Repository = "https://github.example/a/b/c"
	if _, err := f.Requests(t.Context(), p); !errors.Is(err, forge.ErrNotFound) {
		t.Error(err)
	}
	wrong, err := github.New(github.Options{URL: s.URL, Token: "ghp_expired"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Create(t.Context(), proposal()); !errors.Is(err, forge.ErrLogin) || strings.Contains(err.Error(), "ghp_") {
		t.Error(err)
	}
	s.before = func(w http.ResponseWriter, _ *http.Request) bool {
		answer(w, 403, map[string]any{"message": "Resource not accessible by personal access token"})
		return true
	}
	if _, err := f.Create(t.Context(), proposal()); !errors.Is(err, forge.ErrLogin) || !strings.Contains(err.Error(), "not accessible") {
		t.Error(err)
	}
	s.before = func(w http.ResponseWriter, _ *http.Request) bool { answer(w, 502, "bad gateway"); return true }
	if _, err := f.Create(t.Context(), proposal()); err == nil || !strings.Contains(err.Error(), "502") {
		t.Error(err)
	}
	s.Close()
	if _, err := f.Create(t.Context(), proposal()); err == nil || strings.Contains(err.Error(), "ghp_") {
		t.Error(err)
	}
}

func TestRateLimits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(w http.ResponseWriter)
		until  time.Time
	}{
		{"used up", func(w http.ResponseWriter) {
			w.Header().Set("X-RateLimit-Limit", "5000")
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.Header().Set("X-RateLimit-Reset", "4600")
			answer(w, 403, map[string]any{"message": "API rate limit exceeded for user ID 1."})
		}, time.Unix(4600, 0)},
		{"secondary", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "30")
			answer(w, 403, map[string]any{
				"message":           "You have exceeded a secondary rate limit.",
				"documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
			})
		}, time.Unix(1030, 0)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, f := serve(t)
			s.before = func(w http.ResponseWriter, _ *http.Request) bool { tt.answer(w); return true }
			_, err := f.Requests(t.Context(), proposal())
			limit, ok := errors.AsType[*forge.RateLimitError](err)
			if !ok || !limit.Until.Equal(tt.until) {
				t.Errorf("%v; want until %s", err, tt.until)
			}
		})
	}
}

func TestRepositories(t *testing.T) {
	_, f := serve(t)
	for owner, want := range map[string]string{
		"acme": "https://github.example/acme/app0.git https://github.example/acme/app1.git https://github.example/acme/app2.git https://github.example/acme/app4.git",
		"ada":  "https://github.example/acme/dot0.git https://github.example/acme/dot1.git https://github.example/acme/dot2.git https://github.example/acme/dot4.git",
	} {
		var got []string
		err := f.Repositories(t.Context(), owner, func(r forge.Repository) error { got = append(got, r.URL); return nil })
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v %v", owner, got, err)
		}
	}
	if err := f.Repositories(t.Context(), "nobody", func(forge.Repository) error { return nil }); !errors.Is(err, forge.ErrNotFound) {
		t.Error(err)
	}
	enough := errors.New("enough")
	if err := f.Repositories(t.Context(), "acme", func(forge.Repository) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
}

func ExampleNew() {
	_, err := github.New(github.Options{URL: "https://github.example", Token: "ghp_..."})
	fmt.Println(err)
	// Output: <nil>
}
