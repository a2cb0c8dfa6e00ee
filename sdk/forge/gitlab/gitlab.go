// Package gitlab is a [forge.Forge] for gitlab.com and GitLab servers, by their REST API (version 4).
package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/plimsoll-dev/plimsoll/sdk/forge"
)

// Options of a [Forge]. The zero value asks gitlab.com without logging in.
type Options struct {
	// URL is a server's, "https://gitlab.example". Default: gitlab.com.
	URL string
	// Token logs in: one of a person, group or project, with the scope api.
	Token string
	// Client sends. Default: one with Go's default transport and a time limit of a minute.
	Client *http.Client
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Forge speaks to one GitLab. It is safe for concurrent use.
type Forge struct {
	client *gitlab.Client
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
	options := []gitlab.ClientOptionFunc{gitlab.WithHTTPClient(opts.Client), gitlab.WithoutRetries()}
	if opts.URL != "" {
		options = append(options, gitlab.WithBaseURL(opts.URL))
	}
	client, err := gitlab.NewClient(opts.Token, options...)
	if err != nil {
		return nil, errors.New("the URL of the GitLab server can't be read as one")
	}
	return &Forge{client: client, now: opts.Now}, nil
}

// Requests lists merge requests from a branch of the project itself.
func (f *Forge) Requests(ctx context.Context, p forge.Proposal) ([]forge.Request, error) {
	path, err := forge.Path(p.Repository)
	if err != nil {
		return nil, err
	}
	opts := &gitlab.ListProjectMergeRequestsOptions{
		ListOptions:  gitlab.ListOptions{PerPage: 100},
		SourceBranch: &p.Branch, TargetBranch: &p.Base, State: new("all"), OrderBy: new("created_at"), Sort: new("desc"),
	}
	var out []forge.Request
	for {
		page, resp, err := f.client.MergeRequests.ListProjectMergeRequests(path, opts, gitlab.WithContext(ctx))
		if err != nil {
			return nil, f.failed(err)
		}
		for _, mr := range page {
			if mr.SourceProjectID == mr.TargetProjectID {
				out = append(out, request(mr))
			}
		}
		if resp.NextPage == 0 {
			return out, nil
		}
		opts.Page = resp.NextPage
	}
}

func request(mr *gitlab.BasicMergeRequest) forge.Request {
	r := forge.Request{Number: mr.IID, URL: mr.WebURL, Title: mr.Title, Body: mr.Description, State: forge.Closed}
	switch mr.State {
	case "opened", "locked":
		r.State = forge.Open
	case "merged":
		r.State = forge.Merged
	}
	return r
}

// Create opens a merge request.
func (f *Forge) Create(ctx context.Context, p forge.Proposal) (forge.Request, error) {
	path, err := forge.Path(p.Repository)
	if err != nil {
		return forge.Request{}, err
	}
	mr, _, err := f.client.MergeRequests.CreateMergeRequest(path, &gitlab.CreateMergeRequestOptions{
		Title: &p.Title, Description: &p.Body, SourceBranch: &p.Branch, TargetBranch: &p.Base, RemoveSourceBranch: new(true),
	}, gitlab.WithContext(ctx))
	if err != nil {
		return forge.Request{}, f.failed(err)
	}
	return request(&mr.BasicMergeRequest), nil
}

// Update changes a merge request's title and description.
func (f *Forge) Update(ctx context.Context, number int64, p forge.Proposal) (forge.Request, error) {
	path, err := forge.Path(p.Repository)
	if err != nil {
		return forge.Request{}, err
	}
	mr, _, err := f.client.MergeRequests.UpdateMergeRequest(path, number, &gitlab.UpdateMergeRequestOptions{
		Title: &p.Title, Description: &p.Body,
	}, gitlab.WithContext(ctx))
	if err != nil {
		return forge.Request{}, f.failed(err)
	}
	return request(&mr.BasicMergeRequest), nil
}

// Repositories lists the projects of a group and its subgroups.
func (f *Forge) Repositories(ctx context.Context, owner string, each func(forge.Repository) error) error {
	opts := &gitlab.ListGroupProjectsOptions{
		ListOptions: gitlab.ListOptions{PerPage: 100}, Archived: new(false), IncludeSubGroups: new(true), Simple: new(true), WithShared: new(false),
	}
	for {
		page, resp, err := f.client.Groups.ListGroupProjects(owner, opts, gitlab.WithContext(ctx))
		if err != nil {
			return f.failed(err)
		}
		for _, p := range page {
			if err := each(forge.Repository{URL: p.HTTPURLToRepo, Branch: p.DefaultBranch}); err != nil {
				return err
			}
		}
		if resp.NextPage == 0 {
			return nil
		}
		opts.Page = resp.NextPage
	}
}

// failed puts GitLab's answers into the words of package forge.
func (f *Forge) failed(err error) error {
	if errors.Is(err, gitlab.ErrNotFound) {
		return fmt.Errorf("%w: GitLab answers 404", forge.ErrNotFound)
	}
	answer, ok := errors.AsType[*gitlab.ErrorResponse](err)
	if !ok {
		return err
	}
	said := fmt.Sprintf("GitLab answers %d: %s", answer.Response.StatusCode, answer.Message)
	switch answer.Response.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: %s", forge.ErrLogin, said)
	case http.StatusNotFound:
		return fmt.Errorf("%w: %s", forge.ErrNotFound, said)
	case http.StatusConflict: // "Another open merge request already exists for this source branch"
		return fmt.Errorf("%w: %s", forge.ErrExists, said)
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: %s", forge.ErrRefused, said)
	case http.StatusTooManyRequests:
		return &forge.RateLimitError{Until: f.until(answer.Response.Header), Err: errors.New(said)}
	}
	return errors.New(said)
}

// until is when GitLab may be asked again; without a word of it, in a minute.
func (f *Forge) until(header http.Header) time.Time {
	if seconds, err := strconv.Atoi(header.Get("Retry-After")); err == nil {
		return f.now().Add(time.Duration(seconds) * time.Second)
	}
	if reset, err := strconv.ParseInt(header.Get("RateLimit-Reset"), 10, 64); err == nil {
		return time.Unix(reset, 0)
	}
	return f.now().Add(time.Minute)
}
