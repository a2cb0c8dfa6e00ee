package gitlab_test

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
	"github.com/plimsoll-dev/plimsoll/sdk/forge/gitlab"
)

// server speaks as much of GitLab's REST API (version 4) as the adapter asks for, in the forms that its documentation
// shows.
type server struct {
	*httptest.Server
	merges   []map[string]any
	requests []string
	before   func(w http.ResponseWriter, r *http.Request) bool
}

func serve(t *testing.T) (*server, *gitlab.Forge) {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
		const merges = "/api/v4/projects/acme%2Fsub%2Fapp/merge_requests"
		switch path := r.URL.EscapedPath(); {
		case r.Header.Get("Private-Token") != "glpat-sekret":
			answer(w, 401, map[string]any{"message": "401 Unauthorized"})
		case s.before != nil && s.before(w, r):
		case r.Method == http.MethodGet && path == merges:
			s.list(w, r)
		case r.Method == http.MethodPost && path == merges:
			s.create(w, r)
		case r.Method == http.MethodPut && strings.HasPrefix(path, merges+"/"):
			s.edit(w, r, strings.TrimPrefix(path, merges+"/"))
		case r.Method == http.MethodGet && path == "/api/v4/groups/acme%2Fsub/projects":
			s.projects(w, r)
		default:
			answer(w, 404, map[string]any{"message": "404 Project Not Found"})
		}
	}))
	t.Cleanup(s.Close)
	f, err := gitlab.New(gitlab.Options{URL: s.URL, Token: "glpat-sekret", Now: func() time.Time { return time.Unix(1000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	return s, f
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func page(w http.ResponseWriter, r *http.Request, items []map[string]any, size int) {
	n := 1
	_, _ = fmt.Sscan(r.URL.Query().Get("page"), &n)
	from, to := min((n-1)*size, len(items)), min(n*size, len(items))
	w.Header().Set("X-Page", fmt.Sprint(n))
	if to < len(items) {
		w.Header().Set("X-Next-Page", fmt.Sprint(n+1))
	}
	answer(w, 200, items[from:to])
}

func (s *server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var found []map[string]any
	for _, m := range slices.Backward(s.merges) {
		if q.Get("source_branch") == m["source_branch"] && q.Get("target_branch") == m["target_branch"] && q.Get("state") == "all" {
			found = append(found, m)
		}
	}
	page(w, r, found, 1)
}

func (s *server) create(w http.ResponseWriter, r *http.Request) {
	var in map[string]any
	_ = json.NewDecoder(r.Body).Decode(&in)
	for i, m := range s.merges {
		if m["state"] == "opened" && m["source_branch"] == in["source_branch"] {
			answer(w, 409, map[string]any{"message": []string{fmt.Sprintf("Another open merge request already exists for this source branch: !%d", i+1)}})
			return
		}
	}
	if in["source_branch"] == "none" {
		answer(w, 400, map[string]any{"message": map[string]any{"source_branch": []string{"does not exist"}}})
		return
	}
	n := len(s.merges) + 1
	m := map[string]any{
		"id": 1000 + n, "iid": n, "web_url": fmt.Sprintf("https://gitlab.example/acme/sub/app/-/merge_requests/%d", n), "state": "opened",
		"title": in["title"], "description": in["description"], "source_branch": in["source_branch"], "target_branch": in["target_branch"],
		"source_project_id": 7, "target_project_id": 7,
	}
	s.merges = append(s.merges, m)
	answer(w, 201, m)
}

func (s *server) edit(w http.ResponseWriter, r *http.Request, iid string) {
	n := 0
	_, _ = fmt.Sscan(iid, &n)
	var in map[string]any
	_ = json.NewDecoder(r.Body).Decode(&in)
	s.merges[n-1]["title"], s.merges[n-1]["description"] = in["title"], in["description"]
	answer(w, 200, s.merges[n-1])
}

func (s *server) projects(w http.ResponseWriter, r *http.Request) {
	if q := r.URL.Query(); q.Get("archived") != "false" || q.Get("include_subgroups") != "true" {
		answer(w, 400, map[string]any{"error": "archived projects or no subgroups"})
		return
	}
	var items []map[string]any
	for i := range 5 {
		items = append(items, map[string]any{"http_url_to_repo": fmt.Sprintf("https://gitlab.example/acme/sub/app%d.git", i), "default_branch": "main"})
	}
	page(w, r, items, 2)
}

func proposal() forge.Proposal {
	return forge.Proposal{Repository: "git@gitlab.example:acme/sub/app.git", Branch: "plimsoll/x", Base: "main", Title: "Use debian:12.9", Body: "Because.", Key: "k1"}
}

func TestPropose(t *testing.T) {
	s, f := serve(t)
	step := func(want forge.State, number int64) {
		t.Helper()
		r, err := forge.Propose(t.Context(), f, proposal())
		if err != nil || r.State != want || r.Number != number || !strings.HasSuffix(r.URL, fmt.Sprint("/merge_requests/", number)) {
			t.Fatalf("%+v %v; want %s", r, err, want)
		}
	}
	step(forge.Created, 1)
	step(forge.Unchanged, 1)
	s.merges[0]["title"] = "edited"
	step(forge.Updated, 1)
	s.merges[0]["state"] = "closed"
	step(forge.Declined, 1)
	s.merges[0]["state"] = "merged"
	step(forge.Created, 2)
	s.merges[1]["state"] = "merged"
	step(forge.Created, 3)
	// A request from a fork, with a branch of the same name, is somebody else's.
	s.merges[2]["source_project_id"] = 8
	s.merges[2]["state"] = "closed"
	step(forge.Created, 4)
}

func TestFailures(t *testing.T) {
	s, f := serve(t)
	if _, err := f.Create(t.Context(), proposal()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Create(t.Context(), proposal()); !errors.Is(err, forge.ErrExists) || !strings.Contains(err.Error(), "!1") {
		t.Error(err)
	}
	p := proposal()
	p.Branch = "none"
	if _, err := f.Create(t.Context(), p); !errors.Is(err, forge.ErrRefused) || !strings.Contains(err.Error(), "does not exist") {
		t.Error(err)
	}
	p.Repository = "git@gitlab.example:acme/other"
	if _, err := f.Requests(t.Context(), p); !errors.Is(err, forge.ErrNotFound) {
		t.Error(err)
	}
	wrong, err := gitlab.New(gitlab.Options{URL: s.URL, Token: "glpat-expired"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Create(t.Context(), proposal()); !errors.Is(err, forge.ErrLogin) || strings.Contains(err.Error(), "glpat") {
		t.Error(err)
	}
	s.before = func(w http.ResponseWriter, _ *http.Request) bool {
		answer(w, 403, map[string]any{"message": "403 Forbidden"})
		return true
	}
	if _, err := f.Create(t.Context(), proposal()); !errors.Is(err, forge.ErrLogin) {
		t.Error(err)
	}
	s.before = func(w http.ResponseWriter, _ *http.Request) bool { answer(w, 502, "bad gateway"); return true }
	if _, err := f.Create(t.Context(), proposal()); err == nil || !strings.Contains(err.Error(), "502") {
		t.Error(err)
	}
	s.Close()
	if _, err := f.Create(t.Context(), proposal()); err == nil || strings.Contains(err.Error(), "glpat") {
		t.Error(err)
	}
}

func TestRateLimits(t *testing.T) {
	for header, want := range map[string]time.Time{
		"Retry-After: 30": time.Unix(1030, 0), "RateLimit-Reset: 4600": time.Unix(4600, 0), "X: y": time.Unix(1060, 0),
	} {
		s, f := serve(t)
		s.before = func(w http.ResponseWriter, _ *http.Request) bool {
			name, value, _ := strings.Cut(header, ": ")
			w.Header().Set(name, value)
			answer(w, 429, map[string]any{"message": "Too many requests"})
			return true
		}
		_, err := f.Requests(t.Context(), proposal())
		if limit, ok := errors.AsType[*forge.RateLimitError](err); !ok || !limit.Until.Equal(want) {
			t.Errorf("%s: %v; want until %s", header, err, want)
		}
	}
}

func TestRepositories(t *testing.T) {
	_, f := serve(t)
	var got []string
	err := f.Repositories(t.Context(), "acme/sub", func(r forge.Repository) error { got = append(got, r.URL); return nil })
	if err != nil || len(got) != 5 || got[4] != "https://gitlab.example/acme/sub/app4.git" {
		t.Errorf("%v %v", got, err)
	}
	if err := f.Repositories(t.Context(), "nobody", func(forge.Repository) error { return nil }); !errors.Is(err, forge.ErrNotFound) {
		t.Error(err)
	}
}

func ExampleNew() {
	_, err := gitlab.New(gitlab.Options{URL: "https://gitlab.example", Token: "glpat-..."})
	fmt.Println(err)
	// Output: <nil>
}
