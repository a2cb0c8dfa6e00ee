package buildservice_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/shop"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// site is a service with a shop, and tokens of two tenants and of Ops.
type site struct {
	*shop.Shop
	t       testing.TB
	opts    buildservice.Options
	service *buildservice.Service
	server  *httptest.Server
	stop    func()
	commit  string
	tokens  map[string]string // "ana" builds pay, "eve" builds other, "ops" sees all, "bob" reads pay
}

// newSite makes a site that is not started yet, with definitions a to e.
func newSite(t testing.TB, change func(*buildservice.Options)) *site {
	t.Helper()
	work, err := shop.Open(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(work.Close)
	s := &site{Shop: work, t: t, tokens: map[string]string{}}
	if s.commit, err = work.Define("a", "b", "c", "d", "e"); err != nil {
		t.Fatal(err)
	}
	static := callers.Static{Tokens: map[string]string{}}
	for _, name := range []string{"ana", "eve", "ops", "bob"} {
		s.tokens[name], static.Tokens[name] = callers.NewToken()
	}
	s.opts = buildservice.Options{
		Dir: filepath.Join(work.Dir, "state"),
		Projects: []buildservice.Project{{
			Name: "pay", Repository: work.Repository, Publish: work.Server.Ref("pay/{directory}"), Tags: []string{"1.*"}, Args: []string{"LEVEL"},
			Grants: []callers.Grant{
				{Token: "ana", Rights: []callers.Right{callers.Build}},
				{Token: "bob", Rights: []callers.Right{callers.Read}},
			},
		}, {
			Name: "other", Repository: work.Repository + "-other", Publish: work.Server.Ref("other/app"),
			Grants: []callers.Grant{{Token: "eve", Rights: []callers.Right{callers.Build}}},
		}},
		Delivery:  func(context.Context, string) (pipeline.Delivery, error) { return work.Delivery(), nil },
		Callers:   static,
		Operators: []callers.Grant{{Token: "ops", Rights: []callers.Right{callers.Cancel}}},
		Backoff:   50 * time.Millisecond,
		Log:       slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if change != nil {
		change(&s.opts)
	}
	return s
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	if w.t.Context().Err() == nil { // a test that is over takes no lines
		w.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

// start starts the service; stop it with s.stop, and start it again.
func (s *site) start() *site {
	s.t.Helper()
	log, err := audit.Open(filepath.Join(s.Dir, "audit"), audit.Options{Name: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.opts.Audit, s.opts.Metrics = log, nil
	if s.service, err = buildservice.New(s.t.Context(), s.opts); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	service := s.service
	go func() { done <- service.Run(ctx) }()
	s.server = httptest.NewServer(s.service.Handler())
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		s.server.CloseClientConnections()
		s.server.Close()
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
		if err := service.Close(); err != nil {
			s.t.Error(err)
		}
		if err := log.Close(); err != nil {
			s.t.Error(err)
		}
	}
	s.t.Cleanup(s.stop)
	return s
}

// call makes a request with somebody's token and reads the answer into to, if that is not nil.
func (s *site) call(who, method, path string, body, to any, header ...string) *http.Response {
	s.t.Helper()
	var text []byte
	switch b := body.(type) {
	case nil:
	case string:
		text = []byte(b)
	default:
		var err error
		if text, err = json.Marshal(b); err != nil {
			s.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.server.URL+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	if text != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token := s.tokens[who]; token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if text, ok := to.(*string); ok {
		*text = string(content)
	} else if to != nil {
		if err := json.Unmarshal(content, to); err != nil {
			s.t.Fatalf("%s %s: %s: %v\n%s", method, path, answer.Status, err, content)
		}
	}
	return answer
}

func (s *site) request(dir string) api.Request {
	return api.Request{Repository: s.Repository, Commit: s.commit, Directory: dir}
}

// ask asks for a build as ana.
func (s *site) ask(r api.Request, header ...string) api.Build {
	s.t.Helper()
	var b api.Build
	if answer := s.call("ana", "POST", "/v1/builds", r, &b, header...); answer.StatusCode != http.StatusCreated && answer.StatusCode != http.StatusOK {
		s.t.Fatalf("asked for %+v: %s", r, answer.Status)
	}
	return b
}

// wait returns a build when it is over.
func (s *site) wait(id string) api.Build {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		var b api.Build
		s.call("ops", "GET", "/v1/builds/"+id, nil, &b)
		if b.State.Final() {
			return b
		}
		if time.Now().After(end) {
			s.t.Fatalf("the build is not over: %+v", b)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// denials are the objects and reasons of what the audit log says was denied.
func (s *site) denials() string {
	s.t.Helper()
	var all []string
	for e, err := range audit.Read(os.DirFS(filepath.Join(s.Dir, "audit")), 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		if e.Outcome == audit.Denied {
			all = append(all, fmt.Sprint(e.Actor, " ", e.Action, " ", e.Object, " ", e.Detail["reason"]))
		}
	}
	return strings.Join(all, "\n")
}

func TestABuildIsPublishedWithItsReports(t *testing.T) {
	s := newSite(t, nil).start()
	r := s.request("a")
	r.Tags = []string{"1.0"}
	b := s.ask(r)
	got := s.wait(b.ID)
	if got.State != api.Succeeded || got.Runs != 1 || got.Caller != "token:ana" {
		t.Fatalf("the build is %+v", got)
	}
	tagged, err := s.Client.Resolve(t.Context(), s.Server.Ref("pay/a:1.0"))
	if err != nil || got.Reference != s.Server.Ref("pay/a@"+tagged) {
		t.Errorf("published %s, the tag means %s, %v", got.Reference, tagged, err)
	}
	if len(got.Inputs) != 1 || got.Inputs[0].Digest == "" || len(got.Stages) != 7 {
		t.Errorf("inputs %+v, stages %+v", got.Inputs, got.Stages)
	}
	for _, name := range got.Artifacts {
		var text string
		answer := s.call("bob", "GET", "/v1/builds/"+b.ID+"/artifacts/"+name, nil, &text)
		if answer.StatusCode != 200 || text == "" && name != "report.txt" || answer.Header.Get("Content-Type") == "" {
			t.Errorf("%s: %s, %d bytes of %q", name, answer.Status, len(text), answer.Header.Get("Content-Type"))
		}
	}
	if !strings.Contains(strings.Join(got.Artifacts, " "), "report.sarif") || !strings.Contains(strings.Join(got.Artifacts, " "), "verdict.html") {
		t.Errorf("artifacts: %v", got.Artifacts)
	}
	var log string
	s.call("ana", "GET", "/v1/builds/"+b.ID+"/logs", nil, &log)
	for _, want := range []string{"id: 1\nevent: line\n", "copied 2", `"stage":"publish","text":"done in`, "event: end\ndata: {\"state\":\"succeeded\""} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	var rest string
	s.call("ana", "GET", "/v1/builds/"+b.ID+"/logs", nil, &rest, "Last-Event-ID", "3")
	if strings.Contains(rest, "id: 3\n") || !strings.Contains(rest, "id: 4\n") {
		t.Errorf("after line 3:\n%s", rest)
	}
}

func TestTheSameRequestIsOneBuild(t *testing.T) {
	s := newSite(t, nil)
	begun, goOn := make(chan struct{}, 9), make(chan struct{})
	s.Hook = buildUntil(begun, goOn)
	s.start()
	first := s.ask(s.request("a"), "Idempotency-Key", "k1")
	<-begun
	again := s.ask(s.request("a"))
	if again.ID != first.ID {
		t.Errorf("the same request while it runs is another build")
	}
	var problem struct{ Detail string }
	if answer := s.call("ana", "POST", "/v1/builds", s.request("b"), &problem, "Idempotency-Key", "k1"); answer.StatusCode != http.StatusConflict ||
		answer.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("another request with the same key: %s %s", answer.Status, answer.Header)
	}
	close(goOn)
	done := s.wait(first.ID)
	if keyed := s.ask(s.request("a"), "Idempotency-Key", "k1"); keyed.ID != first.ID {
		t.Errorf("the same key after the build is another build")
	}
	anew := s.wait(s.ask(s.request("a")).ID)
	if anew.ID == first.ID || anew.Reference != done.Reference {
		t.Errorf("a new build of the same inputs: %s, the first: %s", anew.Reference, done.Reference)
	}
	if s.Builds() != 1 {
		t.Errorf("built %d times, want once: its inputs were the same", s.Builds())
	}
}

func TestARequestCanNeitherUploadNorWeaken(t *testing.T) {
	s := newSite(t, nil).start()
	for name, test := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"unknown field":      {`{"repository": "REPO", "commit": "COMMIT", "dockerfileText": "FROM evil"}`, 422, "unexpected property"},
		"a branch":           {`{"repository": "REPO", "commit": "main"}`, 422, "branches and tags move"},
		"no commit":          {`{"repository": "REPO"}`, 422, "commit"},
		"another repository": {`{"repository": "https://git.example/evil", "commit": "COMMIT"}`, 403, "no project"},
		"argument":           {`{"repository": "REPO", "commit": "COMMIT", "args": {"BASE": "evil"}}`, 422, "the build argument BASE"},
		"tag":                {`{"repository": "REPO", "commit": "COMMIT", "tags": ["latest"]}`, 422, "the tag latest"},
		"priority":           {`{"repository": "REPO", "commit": "COMMIT", "priority": 1}`, 422, "the priority 1"},
		"way out":            {`{"repository": "REPO", "commit": "COMMIT", "directory": "../../etc"}`, 422, "the directory"},
		"no JSON":            {`repository=REPO`, 400, "invalid"},
		"too large":          {`{"repository": "` + strings.Repeat("x", 100<<10) + `"}`, 413, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			var text string
			body := strings.NewReplacer("REPO", s.Repository, "COMMIT", s.commit).Replace(test.body)
			answer := s.call("ana", "POST", "/v1/builds", body, &text)
			if answer.StatusCode != test.status || !strings.Contains(text, test.says) || answer.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s: %s; want %d and %q", answer.Status, answer.Header.Get("Content-Type"), text, test.status, test.says)
			}
		})
	}
}

func TestTenantsAreKeptApart(t *testing.T) {
	s := newSite(t, nil).start()
	b := s.wait(s.ask(s.request("a")).ID)
	for _, test := range []struct {
		who, method, path string
		body              any
		status            int
	}{
		{"", "GET", "/v1/builds", nil, 401},
		{"eve", "GET", "/v1/builds/" + b.ID, nil, 404},
		{"eve", "GET", "/v1/builds/" + b.ID + "/logs", nil, 404},
		{"eve", "GET", "/v1/builds/" + b.ID + "/artifacts/record.json", nil, 404},
		{"eve", "POST", "/v1/builds/" + b.ID + "/cancel", nil, 404},
		{"eve", "POST", "/v1/builds", s.request("a"), 403},
		{"bob", "POST", "/v1/builds", s.request("a"), 403},
		{"bob", "POST", "/v1/builds/" + b.ID + "/cancel", nil, 403},
		{"bob", "GET", "/v1/builds/" + b.ID, nil, 200},
		{"ops", "POST", "/v1/builds", s.request("a"), 403},
		{"ana", "GET", "/v1/builds/nothing", nil, 404},
	} {
		var text string
		if answer := s.call(test.who, test.method, test.path, test.body, &text); answer.StatusCode != test.status {
			t.Errorf("%s %s %s: %s, want %d: %s", test.who, test.method, test.path, answer.Status, test.status, text)
		}
	}
	var list api.List
	if s.call("eve", "GET", "/v1/builds", nil, &list); len(list.Builds) != 0 {
		t.Errorf("eve sees %+v", list)
	}
	if s.call("bob", "GET", "/v1/builds?state=succeeded", nil, &list); len(list.Builds) != 1 {
		t.Errorf("bob sees %+v", list)
	}
	denials := s.denials()
	for _, want := range []string{"nobody request GET /v1/builds", "token:eve build.read build/" + b.ID, "token:eve build.request " + s.Repository, "token:bob build.cancel"} {
		if !strings.Contains(denials, want) {
			t.Errorf("the audit log lacks %q:\n%s", want, denials)
		}
	}
	if v, err := audit.Verify(os.DirFS(filepath.Join(s.Dir, "audit")), audit.VerifyOptions{}); err != nil || len(v.Findings) > 0 {
		t.Errorf("the audit log: %+v, %v", v, err)
	}
}

func TestTheAPIDescribesItself(t *testing.T) {
	s := newSite(t, nil).start()
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct{ OperationID string }
	}
	s.call("", "GET", "/openapi.json", nil, &doc)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Paths["/v1/builds"]["post"].OperationID != "request-build" {
		t.Errorf("the description is %+v", doc)
	}
	if answer := s.call("", "GET", "/healthz", nil, nil); answer.StatusCode != 200 {
		t.Errorf("/healthz: %s", answer.Status)
	}
	for end := time.Now().Add(10 * time.Second); s.call("", "GET", "/readyz", nil, nil).StatusCode != 200; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not become ready")
		}
	}
}

func mustImage(t *testing.T) registrytest.Pushable {
	t.Helper()
	image, err := registrytest.Image(map[string]string{"x": "y"}, registrytest.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return image
}
