package buildservice

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/internal/store"
)

// routes are the API. Its description is made of the types of package api.
func (s *Service) routes(mux *http.ServeMux) {
	cfg := huma.DefaultConfig("Plimsoll build service", "1")
	cfg.Info.Description = "Builds container images from a repository and a commit, where Ops is in charge."
	cfg.CreateHooks = nil // no $schema in answers
	cfg.DocsPath, cfg.SchemasPath = "", ""
	cfg.RejectUnknownQueryParameters = true
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "An OIDC token of a CI system that the service knows, or a static token"},
	}
	cfg.Security = []map[string][]string{{"token": {}}}
	v1 := humago.New(mux, cfg)
	huma.Register(v1, s.operation(http.MethodPost, "/v1/builds", "request-build", "Ask for a build",
		"Answers 201 with a new build, or 200 with the one that was asked for before: with the same Idempotency-Key, or the same request while it is not over.",
		400, 401, 403, 409, 413, 422, 429, 503), s.create)
	huma.Register(v1, s.operation(http.MethodGet, "/v1/builds", "list-builds", "List builds, newest first", "", 401, 422), s.list)
	huma.Register(v1, s.operation(http.MethodGet, "/v1/builds/{id}", "get-build", "Get a build", "", 401, 404), s.get)
	huma.Register(v1, s.operation(http.MethodPost, "/v1/builds/{id}/cancel", "cancel-build", "Cancel a build",
		"A build that runs is stopped soon; one that is over stays as it is.", 401, 403, 404), s.cancel)
	huma.Register(v1, s.operation(http.MethodGet, "/v1/builds/{id}/artifacts/{name}", "get-artifact", "Get a report", "", 401, 404), s.artifact)
	logs := s.operation(http.MethodGet, "/v1/builds/{id}/logs", "follow-logs", "Follow the log",
		"Server-sent events: \"line\" with a Line as data and its number as id, at last \"end\" with an End. Send the last id as Last-Event-ID to go on behind it.", 401, 404)
	logs.Responses = map[string]*huma.Response{"200": {
		Description: "The log", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(v1, logs, s.follow)
}

func (s *Service) operation(method, route, id, summary, description string, errors ...int) huma.Operation {
	return huma.Operation{
		Method: method, Path: route, OperationID: id, Summary: summary, Description: description, Errors: errors,
		MaxBodyBytes: s.opts.Limits.Body, BodyReadTimeout: 5 * time.Second, Tags: []string{"builds"},
	}
}

type createInput struct {
	Key   string `header:"Idempotency-Key" maxLength:"200" doc:"Any text of the caller's: the same one for the same request gives the same build"`
	Trace string `header:"Traceparent" doc:"W3C trace context"`
	Body  api.Request
}

type createOutput struct {
	Status   int
	Location string `header:"Location"`
	Body     api.Build
}

func (s *Service) create(ctx context.Context, in *createInput) (*createOutput, error) {
	caller := callerOf(ctx)
	project := s.projectOf(in.Body)
	if project == nil || !callers.Allowed(slices.Concat(project.Grants, s.opts.Operators), caller, callers.Build) {
		return nil, s.forbid(ctx, caller, "build.request", in.Body.Repository, "no project with this repository and directory lets this caller build")
	}
	request, err := project.clean(in.Body)
	if err != nil {
		return nil, s.unprocessable(ctx, caller, in.Body, err)
	}
	n := store.New{
		ID: buildID(s.opts.Now()), Project: project.Name, Team: project.Team, Caller: caller.Name, Request: request,
		Same: sameHash(project.Name, request), Key: in.Key, Content: sameHash(project.Name, request),
		MaxQueued: s.opts.MaxQueued, Trace: s.traceparent(ctx, in.Trace),
		Token: store.Token{ID: caller.TokenID, Expires: caller.Expires.UnixMilli()},
	}
	// First the record, then the deed: what can't be recorded is not done.
	if _, err := s.opts.Audit.Append(audit.Event{
		Actor: caller.Name, Action: "build.request", Object: "build/" + n.ID, Outcome: audit.Allowed,
		Detail: map[string]string{"project": project.Name, "repository": request.Repository, "commit": request.Commit, "directory": request.Directory},
	}); err != nil {
		s.log.ErrorContext(ctx, "a request is refused since the audit log can't be written", "error", err)
		return nil, huma.Error503ServiceUnavailable("the audit log can't be written, so nothing is accepted: tell Ops")
	}
	build, fresh, err := s.store.Add(ctx, n)
	switch {
	case errors.Is(err, store.ErrTokenReused):
		return nil, s.denied(ctx, caller, "build.request", project.Name, http.StatusUnauthorized, "this token was used for another request: get a new one for each build")
	case errors.Is(err, store.ErrKeyReused):
		return nil, huma.Error409Conflict("this Idempotency-Key was used for another request: take a new one")
	case errors.Is(err, store.ErrQueueFull):
		return nil, huma.ErrorWithHeaders(huma.Error429TooManyRequests("the queue of the team "+project.Team+" is full: wait until some of its builds are over"),
			http.Header{"Retry-After": {"30"}})
	case err != nil:
		return nil, s.unavailable(ctx, err)
	}
	out := &createOutput{Status: http.StatusOK, Location: "/v1/builds/" + build.ID, Body: build.Build}
	if fresh {
		out.Status = http.StatusCreated
		s.nudge()
	}
	return out, nil
}

// projectOf finds the project that a request is for.
func (s *Service) projectOf(r api.Request) *Project {
	for i := range s.projects {
		if s.projects[i].has(r) {
			return &s.projects[i]
		}
	}
	return nil
}

// buildID sorts by time.
func buildID(at time.Time) string { return fmt.Sprintf("%011x%s", at.UnixMilli(), newID()[:12]) }

// sameHash is equal for requests for the same.
func sameHash(project string, r api.Request) string {
	r.Priority = 0
	text, err := json.Marshal(r)
	if err != nil {
		return newID() // strings always marshal
	}
	sum := sha256.Sum256(append([]byte(project+"\x00"), text...))
	return hex.EncodeToString(sum[:])
}

// traceparent begins the span of a request, below the caller's own, and returns what the build continues.
func (s *Service) traceparent(ctx context.Context, callers string) string {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": callers})
	ctx, span := s.opts.Tracer.Start(ctx, "POST /v1/builds", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

type listInput struct {
	State      string `query:"state" enum:"queued,running,succeeded,refused,failed,cancelled" doc:"Only builds in this state"`
	Project    string `query:"project" doc:"Only builds of this project"`
	Repository string `query:"repository" doc:"Only builds of this repository"`
	Commit     string `query:"commit" doc:"Only builds of this commit"`
	Before     string `query:"before" maxLength:"64" doc:"Only builds older than this one"`
	Limit      int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many"`
}

type listOutput struct{ Body api.List }

func (s *Service) list(ctx context.Context, in *listInput) (*listOutput, error) {
	f := store.Filter{Projects: s.readable(callerOf(ctx)), State: in.State, Repository: in.Repository, Commit: in.Commit, Before: in.Before, Limit: in.Limit}
	if in.Project != "" {
		f.Projects = slices.DeleteFunc(f.Projects, func(p string) bool { return p != in.Project })
	}
	builds, err := s.store.List(ctx, f)
	if err != nil {
		return nil, s.unavailable(ctx, err)
	}
	out := &listOutput{Body: api.List{Builds: make([]api.Build, len(builds))}}
	for i, b := range builds {
		out.Body.Builds[i] = b.Build
	}
	if len(builds) == in.Limit {
		out.Body.Next = builds[len(builds)-1].ID
	}
	return out, nil
}

// readable are the names of the projects whose builds a caller may see; never nil.
func (s *Service) readable(c *callers.Caller) []string {
	names := []string{}
	for _, p := range s.projects {
		if callers.Allowed(slices.Concat(p.Grants, s.opts.Operators), c, callers.Read) {
			names = append(names, p.Name)
		}
	}
	return names
}

type buildInput struct {
	ID string `path:"id" maxLength:"64"`
}

type buildOutput struct{ Body api.Build }

func (s *Service) get(ctx context.Context, in *buildInput) (*buildOutput, error) {
	b, err := s.build(ctx, in.ID, callers.Read)
	if err != nil {
		return nil, err
	}
	return s.whole(ctx, b)
}

// whole adds what remains of a build to it.
func (s *Service) whole(ctx context.Context, b *store.Build) (*buildOutput, error) {
	k, err := s.kept(ctx, b.ID)
	if err != nil {
		return nil, s.unavailable(ctx, err)
	}
	out := &buildOutput{b.Build}
	out.Body.Findings, out.Body.Inputs, out.Body.Stages, out.Body.Artifacts = k.Findings, k.Inputs, k.Stages, k.artifacts()
	return out, nil
}

// build returns a build that the caller has a right to. Of one that it may not see it says what it says of one that is
// not there.
func (s *Service) build(ctx context.Context, id string, right callers.Right) (*store.Build, error) {
	caller := callerOf(ctx)
	b, err := s.store.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, huma.Error404NotFound("no build " + id)
	case err != nil:
		return nil, s.unavailable(ctx, err)
	}
	grants := s.opts.Operators
	if p, err := s.project(b.Project); err == nil {
		grants = slices.Concat(p.Grants, grants)
	}
	switch {
	case callers.Allowed(grants, caller, right):
		return b, nil
	case callers.Allowed(grants, caller, callers.Read):
		return nil, s.forbid(ctx, caller, "build."+string(right), "build/"+id, "this caller may only look at this project's builds")
	}
	return nil, s.denied(ctx, caller, "build."+string(right), "build/"+id, http.StatusNotFound, "no build "+id)
}

func (s *Service) cancel(ctx context.Context, in *buildInput) (*buildOutput, error) {
	b, err := s.build(ctx, in.ID, callers.Cancel)
	if err != nil {
		return nil, err
	}
	caller := callerOf(ctx)
	if _, err := s.opts.Audit.Append(audit.Event{Actor: caller.Name, Action: "build.cancel", Object: "build/" + b.ID, Outcome: audit.Allowed}); err != nil {
		return nil, huma.Error503ServiceUnavailable("the audit log can't be written, so nothing is accepted: tell Ops")
	}
	if b, err = s.store.Cancel(ctx, in.ID, caller.Name); err != nil {
		return nil, s.unavailable(ctx, err)
	}
	s.mu.Lock()
	if stop := s.running[b.ID]; stop != nil && b.Cancel != "" {
		stop(&cancelledError{b.Cancel})
	}
	s.mu.Unlock()
	s.feeds.Wrote(b.ID)
	s.nudge()
	return s.whole(ctx, b)
}

type artifactInput struct {
	ID   string `path:"id" maxLength:"64"`
	Name string `path:"name" maxLength:"64" example:"report.sarif"`
}

func (s *Service) artifact(ctx context.Context, in *artifactInput) (*huma.StreamResponse, error) {
	b, err := s.build(ctx, in.ID, callers.Read)
	if err != nil {
		return nil, err
	}
	k, err := s.kept(ctx, b.ID)
	if err != nil {
		return nil, s.unavailable(ctx, err)
	}
	if names := k.artifacts(); !slices.Contains(names, in.Name) {
		return nil, huma.Error404NotFound(fmt.Sprintf("the build %s has no %s, but: %s", b.ID, in.Name, strings.Join(names, ", ")))
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", contentTypes[path.Ext(in.Name)])
		// A report quotes what developers wrote: it may show itself, and do nothing.
		c.SetHeader("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
		if err := k.write(c.BodyWriter(), b, in.Name); err != nil {
			s.log.WarnContext(ctx, "an artifact was not written", "build", b.ID, "artifact", in.Name, "error", err)
		}
	}}, nil
}

// The answers that are errors.

func (s *Service) forbid(ctx context.Context, c *callers.Caller, action, object, reason string) error {
	return s.denied(ctx, c, action, object, http.StatusForbidden, reason)
}

// denied writes a denial to the audit log and returns what the caller is told.
func (s *Service) denied(ctx context.Context, c *callers.Caller, action, object string, status int, reason string) error {
	s.metrics.denied.WithLabelValues("access").Inc()
	s.audit(ctx, audit.Event{Actor: c.Name, Action: action, Object: object, Outcome: audit.Denied, Detail: map[string]string{"reason": reason}})
	return huma.NewError(status, reason)
}

func (s *Service) unprocessable(ctx context.Context, c *callers.Caller, r api.Request, err error) error {
	s.audit(ctx, audit.Event{
		Actor: c.Name, Action: "build.request", Object: r.Repository, Outcome: audit.Denied,
		Detail: map[string]string{"reason": err.Error(), "commit": r.Commit},
	})
	var details []error
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range all.Unwrap() {
			details = append(details, &huma.ErrorDetail{Message: e.Error(), Location: "body"})
		}
	}
	return huma.Error422UnprocessableEntity(firstLine(err.Error()), details...)
}

func (s *Service) unavailable(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		s.log.ErrorContext(ctx, "the database does not answer", "error", err)
	}
	return huma.Error503ServiceUnavailable("the service's database does not answer: try again")
}
