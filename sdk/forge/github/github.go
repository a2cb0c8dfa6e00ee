// Package github is a [forge.Forge] for github.com and GitHub Enterprise Server, by its REST API.
package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-github/v75/github"

	"github.com/plimsoll-dev/plimsoll/sdk/forge"
)

// Options of a [Forge]. The zero value asks github.com without logging in.
type Options struct {
	// URL is an enterprise server's, "https://github.example". Default: github.com.
	URL string
	// Token logs in: a fine-grained one needs to read contents and to read and write pull requests.
	Token string
	// Client sends. Default: one with Go's default transport and a time limit of a minute.
	Client *http.Client
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Forge speaks to one GitHub. It is safe for concurrent use.
type Forge struct {
	client *github.Client
	now    func() time.Time
}

// New makes a forge. Nothing is asked yet.
func New(opts Options) (*Forge, error) {
	if opts.Client == nil {
		opts.Client = &http.Client{Timeout: time.Minute}
	}
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	client := github.NewClient(opts.Client)
	if opts.Token != "" {
		client = client.WithAuthToken(opts.Token)
	}
	if opts.URL != "" {
		var err error
		if client, err = client.WithEnterpriseURLs(opts.URL, opts.URL); err != nil {
			return nil, errors.New("the URL of the GitHub server can't be read as one")
		}
	}
	return &Forge{client: client, now: opts.Now}, nil
}

// name is a repository's owner and name.
func name(repository string) (owner, repo string, err error) {
	path, err := forge.Path(repository)
	if err != nil {
		return "", "", err
	}
	owner, repo, _ = strings.Cut(path, "/")
	if strings.Contains(repo, "/") {
		return "", "", fmt.Errorf("%w: %s has more than owner and name", forge.ErrNotFound, path)
	}
	return owner, repo, nil
}

// Requests lists pull requests from a branch of the repository itself.
func (f *Forge) Requests(ctx context.Context, p forge.Proposal) ([]forge.Request, error) {
	owner, repo, err := name(p.Repository)
	if err != nil {
		return nil, err
	}
	opts := &github.PullRequestListOptions{
		State: "all", Head: owner + ":" + p.Branch, Base: p.Base, Sort: "created", Direction: "desc",
		ListOptions: github.ListOptions{PerPage: 100},
	}
	var out []forge.Request
	for {
		page, resp, err := f.client.PullRequests.List(ctx, owner, repo, opts)
		if err != nil {
			return nil, f.failed(err)
		}
		for _, pr := range page {
			out = append(out, request(pr))
		}
		if resp.NextPage == 0 {
			return out, nil
		}
		opts.Page = resp.NextPage
	}
}

func request(pr *github.PullRequest) forge.Request {
	r := forge.Request{Number: int64(pr.GetNumber()), URL: pr.GetHTMLURL(), Title: pr.GetTitle(), Body: pr.GetBody(), State: forge.Open}
	switch {
	case pr.MergedAt != nil:
		r.State = forge.Merged
	case pr.GetState() != "open":
		r.State = forge.Closed
	}
	return r
}

// Create opens a pull request.
func (f *Forge) Create(ctx context.Context, p forge.Proposal) (forge.Request, error) {
	owner, repo, err := name(p.Repository)
	if err != nil {
		return forge.Request{}, err
	}
	pr, _, err := f.client.PullRequests.Create(ctx, owner, repo, &github.NewPullRequest{
		Title: &p.Title, Head: &p.Branch, Base: &p.Base, Body: &p.Body, MaintainerCanModify: new(true),
	})
	if err != nil {
		return forge.Request{}, f.failed(err)
	}
	return request(pr), nil
}

// Update changes a pull request's title and body.
func (f *Forge) Update(ctx context.Context, number int64, p forge.Proposal) (forge.Request, error) {
	owner, repo, err := name(p.Repository)
	if err != nil {
		return forge.Request{}, err
	}
	pr, _, err := f.client.PullRequests.Edit(ctx, owner, repo, int(number), &github.PullRequest{Title: &p.Title, Body: &p.Body})
	if err != nil {
		return forge.Request{}, f.failed(err)
	}
	return request(pr), nil
}

// Repositories lists those of an organisation, or of a user where there is no such organisation.
func (f *Forge) Repositories(ctx context.Context, owner string, each func(forge.Repository) error) error {
	err := f.list(each, func(page int) ([]*github.Repository, *github.Response, error) {
		return f.client.Repositories.ListByOrg(ctx, owner, &github.RepositoryListByOrgOptions{ListOptions: github.ListOptions{PerPage: 100, Page: page}})
	})
	if errors.Is(err, forge.ErrNotFound) {
		err = f.list(each, func(page int) ([]*github.Repository, *github.Response, error) {
			return f.client.Repositories.ListByUser(ctx, owner, &github.RepositoryListByUserOptions{ListOptions: github.ListOptions{PerPage: 100, Page: page}})
		})
	}
	return err
}

func (f *Forge) list(each func(forge.Repository) error, get func(page int) ([]*github.Repository, *github.Response, error)) error {
	for page := 1; page != 0; {
		repos, resp, err := get(page)
		if err != nil {
			return f.failed(err)
		}
		for _, r := range repos {
			if r.GetArchived() || r.GetDisabled() {
				continue
			}
			if err := each(forge.Repository{URL: r.GetCloneURL(), Branch: r.GetDefaultBranch()}); err != nil {
				return err
			}
		}
		page = resp.NextPage
	}
	return nil
}

// failed puts GitHub's answers into the words of package forge.
func (f *Forge) failed(err error) error {
	if limit, ok := errors.AsType[*github.RateLimitError](err); ok {
		return &forge.RateLimitError{Until: limit.Rate.Reset.Time, Err: errors.New("GitHub's rate limit is used up")}
	}
	if limit, ok := errors.AsType[*github.AbuseRateLimitError](err); ok {
		after := time.Minute // what GitHub asks for where it says nothing
		if limit.RetryAfter != nil {
			after = *limit.RetryAfter
		}
		return &forge.RateLimitError{Until: f.now().Add(after), Err: errors.New("GitHub's secondary rate limit: too many requests at once")}
	}
	answer, ok := errors.AsType[*github.ErrorResponse](err)
	if !ok {
		return err
	}
	said := answer.Message
	for _, e := range answer.Errors {
		said += "; " + strings.TrimSpace(strings.Join([]string{e.Field, e.Code, e.Message}, " "))
	}
	said = fmt.Sprintf("GitHub answers %d: %s", answer.Response.StatusCode, said)
	switch answer.Response.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: %s", forge.ErrLogin, said)
	case http.StatusNotFound:
		return fmt.Errorf("%w: %s", forge.ErrNotFound, said)
	case http.StatusUnprocessableEntity:
		if strings.Contains(said, "already exists") {
			return fmt.Errorf("%w: %s", forge.ErrExists, said)
		}
		return fmt.Errorf("%w: %s", forge.ErrRefused, said)
	}
	return errors.New(said)
}
