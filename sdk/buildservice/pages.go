package buildservice

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/internal/store"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

//go:embed pages
var pageFiles embed.FS

// pageTemplates are parsed once; a mistake in one is found by any test.
var pageTemplates = template.Must(template.New("pages").Funcs(template.FuncMap{
	"short": func(hash string) string {
		_, digits, ok := strings.Cut(hash, ":")
		if !ok {
			digits = hash
		}
		return digits[:min(12, len(digits))]
	},
	"when": func(at any) string {
		switch t := at.(type) {
		case time.Time:
			return t.UTC().Format("2006-01-02 15:04:05")
		case *time.Time:
			return t.UTC().Format("2006-01-02 15:04:05")
		}
		return ""
	},
}).ParseFS(pageFiles, "pages/*.tmpl"))

// view is what every page is given.
type view struct {
	Title, At, Caller string
	Nav               []link
	Data              any
}

type link struct{ Name, Path string }

// pages are for people. They show what the API does, to whom it would; a page more is a line here and a template.
func (s *Service) pages(mux *http.ServeMux) {
	static, err := fs.Sub(pageFiles, "pages")
	if err != nil {
		panic(err) // the path is a constant
	}
	for _, name := range []string{"style.css", "app.js"} {
		mux.HandleFunc("GET /static/"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=300")
			http.ServeFileFS(w, r, static, name)
		})
	}
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		s.show(w, r, "login", view{Title: "Log in"}, http.StatusOK)
	})
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /logout", s.logout)
	mux.HandleFunc("GET /{$}", s.page(s.buildsPage))
	mux.HandleFunc("GET /builds/{id}", s.page(s.buildPage))
	mux.HandleFunc("POST /builds/{id}/cancel", s.page(s.cancelPage))
	mux.HandleFunc("GET /builds/{id}/events", s.page(s.eventsPage))
	mux.HandleFunc("GET /builds/{id}/artifacts/{name}", s.page(s.artifactPage))
	mux.HandleFunc("GET /catalog", s.page(s.catalogPage))
	mux.HandleFunc("GET /audit", s.page(s.auditPage))
}

// page lets only those see a page who have logged in, and shows an error as a page.
func (s *Service) page(serve func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller := s.session(r)
		if caller == nil {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), callerKey{}, caller))
		err := serve(w, r)
		if err == nil {
			return
		}
		status := http.StatusInternalServerError
		if known, ok := errors.AsType[huma.StatusError](err); ok {
			status = known.GetStatus()
		} else {
			s.log.ErrorContext(r.Context(), "a page was not made", "page", r.Pattern, "error", err)
			err = errors.New("the page can't be shown; the service's log says why")
		}
		s.show(w, r, "message", view{Title: http.StatusText(status), Data: err.Error()}, status)
	}
}

// show writes a page. Nothing on it may come from elsewhere, and no script may be in it.
func (s *Service) show(w http.ResponseWriter, r *http.Request, name string, v view, status int) {
	if c := s.session(r); c != nil {
		v.Caller = c.Name
		v.Nav = []link{{"Builds", "/"}, {"Catalog", "/catalog"}}
		if callers.Allowed(s.opts.Operators, c, callers.Read) {
			v.Nav = append(v.Nav, link{"Audit", "/audit"})
		}
	}
	var b bytes.Buffer
	if err := pageTemplates.ExecuteTemplate(&b, name, v); err != nil {
		s.log.ErrorContext(r.Context(), "a page was not made", "page", name, "error", err)
		http.Error(w, "the page can't be shown; the service's log says why", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // nobody is left to tell
}

func (s *Service) buildsPage(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	in := listInput{State: query.Get("state"), Project: query.Get("project"), Before: query.Get("before"), Limit: 50}
	list, err := s.list(r.Context(), &in)
	if err != nil {
		return err
	}
	s.show(w, r, "builds", view{Title: "Builds", At: "Builds", Data: map[string]any{
		"Builds": list.Body.Builds, "Next": list.Body.Next, "State": in.State, "Project": in.Project,
		"Projects": s.readable(callerOf(r.Context())),
		"States":   []api.State{api.Queued, api.Running, api.Succeeded, api.Refused, api.Failed, api.Cancelled},
	}}, http.StatusOK)
	return nil
}

// maxPageLines is how many lines of a log a page has to begin with.
const maxPageLines = 2000

// shown is a build as its page shows it.
type shown struct {
	Build             api.Build
	Findings          []shownFinding
	Lines             []api.Line
	Last              int64
	More              bool
	Judged, MayCancel bool
}

type shownFinding struct {
	finding.Finding
	Excerpt []excerptLine
}

type excerptLine struct {
	Number int
	Text   string
	Marked bool
}

func (s *Service) buildPage(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	b, err := s.build(ctx, r.PathValue("id"), callers.Read)
	if err != nil {
		return err
	}
	whole, err := s.whole(ctx, b)
	if err != nil {
		return err
	}
	k, err := s.kept(ctx, b.ID)
	if err != nil {
		return err
	}
	data := shown{Build: whole.Body, Judged: k.Judged}
	for _, f := range k.Findings {
		data.Findings = append(data.Findings, shownFinding{f, k.excerpt(f.Place)})
	}
	if data.Lines, err = s.lastLines(ctx, b.ID); err != nil {
		return err
	}
	if n := len(data.Lines); n > 0 {
		data.Last, data.More = data.Lines[n-1].Seq, data.Lines[0].Seq > 1
	}
	if !b.State.Final() {
		if p, err := s.project(b.Project); err == nil {
			data.MayCancel = callers.Allowed(slices.Concat(p.Grants, s.opts.Operators), callerOf(ctx), callers.Cancel)
		}
	}
	title := b.Project + " " + b.Request.Directory
	s.show(w, r, "build", view{Title: strings.TrimSpace(title) + " at " + b.Request.Commit[:min(12, len(b.Request.Commit))], Data: data}, http.StatusOK)
	return nil
}

// lastLines returns the end of a log.
func (s *Service) lastLines(ctx context.Context, id string) ([]api.Line, error) {
	last, err := s.store.LastLine(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.store.Lines(ctx, id, max(0, last-maxPageLines), maxPageLines)
}

// excerpt is the definition's text around a place.
func (k *kept) excerpt(p finding.Place) []excerptLine {
	if p.File != k.Name || p.Start.Line == 0 {
		return nil
	}
	const around = 2
	var all []excerptLine
	end := max(p.End.Line, p.Start.Line)
	for i, text := range strings.Split(k.Dockerfile, "\n") {
		if n := i + 1; n >= p.Start.Line-around && n <= min(end, p.Start.Line+10)+around {
			all = append(all, excerptLine{n, strings.TrimRight(text, "\r"), n >= p.Start.Line && n <= end})
		}
	}
	return all
}

func (s *Service) cancelPage(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.cancel(r.Context(), &buildInput{r.PathValue("id")}); err != nil {
		return err
	}
	http.Redirect(w, r, "/builds/"+url.PathEscape(r.PathValue("id")), http.StatusSeeOther)
	return nil
}

func (s *Service) eventsPage(w http.ResponseWriter, r *http.Request) error {
	b, err := s.build(r.Context(), r.PathValue("id"), callers.Read)
	if err != nil {
		return err
	}
	last := r.Header.Get("Last-Event-ID") // a browser that comes back
	if last == "" {
		last = r.URL.Query().Get("after")
	}
	after, err := strconv.ParseInt(last, 10, 64)
	if err != nil {
		after = 0
	}
	s.events(r, w, b.ID, after)
	return nil
}

func (s *Service) artifactPage(w http.ResponseWriter, r *http.Request) error {
	b, err := s.build(r.Context(), r.PathValue("id"), callers.Read)
	if err != nil {
		return err
	}
	k, err := s.kept(r.Context(), b.ID)
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	if !slices.Contains(k.artifacts(), name) {
		return huma.Error404NotFound("the build has no " + name)
	}
	return s.writeArtifact(w, k, b, name)
}

func (s *Service) catalogPage(w http.ResponseWriter, r *http.Request) error {
	var project string
	if names := s.readable(callerOf(r.Context())); len(names) > 0 {
		project = names[0]
	} else {
		return s.forbid(r.Context(), callerOf(r.Context()), "catalog.read", "catalog", "the catalog is shown to who may see some project's builds")
	}
	delivery, err := s.opts.Delivery(r.Context(), project)
	if err != nil {
		return err
	}
	document := delivery.Catalog.Document()
	s.show(w, r, "catalog", view{Title: "Catalog", At: "Catalog", Data: map[string]any{
		"Document": document, "Digest": delivery.Catalog.Digest(), "Exceptions": exceptions(document.Exceptions, s.opts.Now()),
	}}, http.StatusOK)
	return nil
}

type shownException struct {
	catalog.Exception
	Ends, Class string
}

// exceptions puts those first that end first, and says how long they have.
func exceptions(list []catalog.Exception, now time.Time) []shownException {
	var all []shownException
	for _, e := range list {
		until := e.Until.End()
		x := shownException{Exception: e, Ends: until.Format("2006-01-02")}
		switch days := int(until.Sub(now).Hours() / 24); {
		case until.Before(now):
			x.Ends, x.Class = x.Ends+", is over", "error"
		case days < 14:
			x.Ends, x.Class = fmt.Sprintf("%s, in %d days", x.Ends, days), "warning"
		default:
			x.Ends = fmt.Sprintf("%s, in %d days", x.Ends, days)
		}
		all = append(all, x)
	}
	slices.SortStableFunc(all, func(a, b shownException) int { return a.Until.End().Compare(b.Until.End()) })
	return all
}

// auditPage shows the newest entries, to operators only: they name all tenants.
func (s *Service) auditPage(w http.ResponseWriter, r *http.Request) error {
	const entries = 100
	if !callers.Allowed(s.opts.Operators, callerOf(r.Context()), callers.Read) {
		return s.forbid(r.Context(), callerOf(r.Context()), "audit.read", "audit", "the audit log is for operators")
	}
	before, err := strconv.ParseUint(r.URL.Query().Get("before"), 10, 64)
	if err != nil {
		before = s.opts.Audit.Checkpoint().Seq + 1
	}
	from := uint64(1)
	if before > entries {
		from = before - entries
	}
	var all []audit.Entry
	for e, err := range audit.Read(s.opts.Audit.FS(), from) {
		if err != nil {
			return err
		}
		if e.Seq >= before {
			break
		}
		all = append(all, e)
	}
	slices.Reverse(all)
	data := map[string]any{"Entries": all}
	if from > 1 {
		data["Before"] = from
	}
	s.show(w, r, "audit", view{Title: "Audit log", At: "Audit", Data: data}, http.StatusOK)
	return nil
}

// writeArtifact writes a report, which quotes what developers wrote: it may show itself, and do nothing.
func (s *Service) writeArtifact(w http.ResponseWriter, k *kept, b *store.Build, name string) error {
	var buf bytes.Buffer
	if err := k.write(&buf, b, name); err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentTypes[name[strings.LastIndexByte(name, '.'):]])
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	_, err := w.Write(buf.Bytes())
	if err != nil {
		s.log.DebugContext(context.Background(), "an artifact was not read to its end", "artifact", name, "error", err)
	}
	return nil
}
