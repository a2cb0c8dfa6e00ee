// Package forge opens pull requests where repositories live, whatever they are called there, and lists the repositories of
// an organisation. [Propose] is the call most callers need. Packages forge/github and forge/gitlab are forges.
package forge

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// Proposal is a branch that should be merged.
type Proposal struct {
	// Repository is the URL that it is cloned from, Branch the branch and Base the one to merge it into.
	Repository, Branch, Base string
	// Title is one line and Body, in Markdown, the rest. Too long a body is cut.
	Title, Body string
	// Key stands for the change: as long as it is the same, a request that people closed is not opened again. It is kept in
	// the body, in a comment that nobody sees.
	Key string
}

// State is what a request is in, or what [Propose] did with it.
type State string

// The states. Open, Closed and Merged are a forge's, all but Closed may be what [Propose] did.
const (
	Open      State = "open"
	Closed    State = "closed" // and not merged
	Merged    State = "merged"
	Created   State = "created"
	Updated   State = "updated"
	Unchanged State = "unchanged"
	// Declined: people closed a request with the same change. Nothing was done.
	Declined State = "declined"
)

// Request is a pull request, or merge request, or what else it is called.
type Request struct {
	Number int64  `json:"number"`
	URL    string `json:"url"`
	State  State  `json:"state"`
	Title  string `json:"-"`
	Body   string `json:"-"`
}

// Forge is a place for repositories. Implementations are safe for concurrent use; their errors hold no credentials and are
// one of this package's where that fits.
type Forge interface {
	// Requests lists the requests from a branch into a base, open or not, the newest first.
	Requests(ctx context.Context, p Proposal) ([]Request, error)
	// Create opens a request. [ErrExists] says that one is open.
	Create(ctx context.Context, p Proposal) (Request, error)
	// Update changes title and body of a request.
	Update(ctx context.Context, number int64, p Proposal) (Request, error)
}

// Lister lists the repositories of an owner (an organisation, a group with its subgroups, a user), page by page. It ends
// with the first error that each returns. Archived ones, which nobody can push to, are left out.
type Lister interface {
	Repositories(ctx context.Context, owner string, each func(Repository) error) error
}

// Repository is what a forge says about a repository.
type Repository struct {
	// URL is where it is cloned from.
	URL string `json:"url"`
	// Branch is its default branch, "" for an empty repository.
	Branch string `json:"branch"`
}

// What forges say. Each is wrapped with the forge's own words.
var (
	// ErrLogin: the token is missing, wrong or expired, or may not do this.
	ErrLogin = errors.New("the forge refuses the login")
	// ErrNotFound: there is no such repository, or the token may not see it.
	ErrNotFound = errors.New("the forge has no such repository, or hides it")
	// ErrExists: a request from this branch is open.
	ErrExists = errors.New("there is such a request")
	// ErrRefused: the forge understands and does not do it, such as when the branch has nothing new.
	ErrRefused = errors.New("the forge refuses the request")
)

// RateLimitError says that the forge wants to be left alone until a time.
type RateLimitError struct {
	Until time.Time
	Err   error
}

// Error is the text of Err and the time.
func (e *RateLimitError) Error() string {
	return fmt.Sprintf("%v; the forge wants to be left alone until %s", e.Err, e.Until.UTC().Format(time.RFC3339))
}

// Unwrap returns Err.
func (e *RateLimitError) Unwrap() error { return e.Err }

// Propose makes sure that a request for the branch is open and says what the proposal says. It may be called any number of
// times, at the same time too: there is one open request for a branch.
func Propose(ctx context.Context, f Forge, p Proposal) (Request, error) {
	switch {
	case p.Repository == "" || p.Branch == "" || p.Base == "" || p.Title == "":
		return Request{}, errors.New("a proposal needs a repository, a branch, a base and a title")
	case p.Key == "":
		return Request{}, errors.New("a proposal needs a key that stands for the change")
	}
	p.Title = strings.Join(strings.Fields(p.Title), " ")
	p.Body = clip(p.Body, maxBody) + "\n\n" + mark(p.Key)
	for range 2 { // the second time when another process was faster
		known, err := f.Requests(ctx, p)
		if err != nil {
			return Request{}, err
		}
		for _, r := range known {
			switch {
			case r.State == Open && r.Title == p.Title && same(r.Body, p.Body):
				r.State = Unchanged
				return r, nil
			case r.State == Open:
				r, err := f.Update(ctx, r.Number, p)
				r.State = Updated
				return r, err
			case r.State == Closed && strings.Contains(r.Body, mark(p.Key)):
				r.State = Declined
				return r, nil
			}
		}
		r, err := f.Create(ctx, p)
		if !errors.Is(err, ErrExists) {
			r.State = Created
			return r, err
		}
	}
	return Request{}, fmt.Errorf("%s: %w for %s, and it is not in the list", p.Repository, ErrExists, p.Branch)
}

// same compares bodies as forges keep them: some change line breaks and cut white space at the end.
func same(a, b string) bool { return normal(a) == normal(b) }

func normal(body string) string { return strings.TrimSpace(strings.ReplaceAll(body, "\r\n", "\n")) }

func mark(key string) string { return "<!-- plimsoll: " + strings.ReplaceAll(key, "-->", "") + " -->" }

// maxBody is below what every forge takes, in bytes; GitHub takes 65,536 characters.
const maxBody = 60_000

func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "\n\n(and more)"
}

// Path is the path of a repository on its forge, "owner/name" or "group/sub/name", from the URL that it is cloned from:
// https://host/owner/name.git, ssh://git@host/owner/name or git@host:owner/name.
func Path(repository string) (string, error) {
	path := ""
	if u, err := url.Parse(repository); err == nil && u.Host != "" {
		path = u.Path
	} else if host, rest, ok := strings.Cut(repository, ":"); ok && !strings.Contains(host, "/") && !strings.HasPrefix(rest, "//") {
		path = rest
	}
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	if strings.Count(path, "/") == 0 || strings.Contains(path, "//") || strings.ContainsAny(path, "?#") {
		return "", fmt.Errorf("%w: no owner and name of a repository in its address", ErrNotFound)
	}
	return path, nil
}
