// Package client speaks to a Plimsoll build service: it asks for builds, follows their logs and fetches their reports.
//
//	c := client.New("https://builds.example", client.Options{Token: client.GitHubToken(os.Getenv, "https://builds.example")})
//	build, err := c.Request(ctx, api.Request{Repository: repository, Commit: commit}, client.NewKey())
//	end, err := c.Follow(ctx, build.ID, 0, func(line api.Line) error { fmt.Println(line.Text); return nil })
//
// Requests that meet a service which is busy or a connection that breaks are sent again, and a log that breaks off goes on
// behind the last line that was seen. The package imports the standard library and package api only.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
)

// TokenSource returns a token for a request. It is asked for each: those of CI systems end soon.
type TokenSource func(ctx context.Context) (string, error)

// StaticToken is a token that does not change.
func StaticToken(token string) TokenSource {
	return func(context.Context) (string, error) { return token, nil }
}

// Options of a client. Token is required for all but public services.
type Options struct {
	Token TokenSource
	// HTTP makes the requests. Default: one of its own, without a time limit but ctx's.
	HTTP *http.Client
	// Retries is how often a request is sent again. Default 5; negative: never.
	Retries int
	// Backoff is the wait before the first retry; it doubles with each, up to 10 s. A longer Retry-After counts, up to a
	// minute. Default 500 ms.
	Backoff time.Duration
}

// Client speaks to one service. It is safe for concurrent use.
type Client struct {
	base string
	opts Options
}

// New returns a client for the service at an address such as "https://builds.example". Nothing is sent yet.
func New(address string, opts Options) *Client {
	if opts.HTTP == nil {
		opts.HTTP = &http.Client{Transport: http.DefaultTransport} //nolint:forbidigo // the default of a client that can be given
	}
	if opts.Retries == 0 {
		opts.Retries = 5
	}
	if opts.Backoff == 0 {
		opts.Backoff = 500 * time.Millisecond
	}
	return &Client{base: strings.TrimSuffix(address, "/"), opts: opts}
}

// Error is an answer of the service that is no success, as RFC 9457 has it.
type Error struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

// Error is what the service said.
func (e *Error) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "the build service answers %d", e.Status)
	if e.Detail != "" {
		text.WriteString(": " + e.Detail)
	}
	for _, more := range e.Errors {
		if more.Message != e.Detail {
			text.WriteString("\n" + strings.TrimPrefix(more.Location+": "+more.Message, ": "))
		}
	}
	return text.String()
}

// NewKey makes an Idempotency-Key: give the same one when the same request is made again, so that it is one build.
func NewKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// Request asks for a build. The key makes it safe to ask again; "" makes one, for the retries of this call.
func (c *Client) Request(ctx context.Context, r api.Request, key string) (*api.Build, error) {
	if key == "" {
		key = NewKey()
	}
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return c.build(ctx, http.MethodPost, "/v1/builds", body, http.Header{"Idempotency-Key": {key}})
}

// Get returns a build with its findings.
func (c *Client) Get(ctx context.Context, id string) (*api.Build, error) {
	return c.build(ctx, http.MethodGet, "/v1/builds/"+url.PathEscape(id), nil, nil)
}

// Cancel stops a build and returns it as it is then. One that is over stays as it is.
func (c *Client) Cancel(ctx context.Context, id string) (*api.Build, error) {
	return c.build(ctx, http.MethodPost, "/v1/builds/"+url.PathEscape(id)+"/cancel", nil, nil)
}

// List returns builds, newest first. The query's names are those of the API: state, project, repository, commit, before,
// limit.
func (c *Client) List(ctx context.Context, query url.Values) (*api.List, error) {
	var list api.List
	return &list, c.json(ctx, http.MethodGet, "/v1/builds?"+query.Encode(), nil, nil, &list)
}

// maxAnswer limits answers that are read into memory.
const maxAnswer = 64 << 20

// Artifact returns a report: one of the names in api.Build.Artifacts.
func (c *Client) Artifact(ctx context.Context, id, name string) ([]byte, error) {
	answer, err := c.do(ctx, http.MethodGet, "/v1/builds/"+url.PathEscape(id)+"/artifacts/"+url.PathEscape(name), nil, nil)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
}

func (c *Client) build(ctx context.Context, method, path string, body []byte, header http.Header) (*api.Build, error) {
	var b api.Build
	if err := c.json(ctx, method, path, body, header, &b); err != nil {
		return nil, err
	}
	return &b, nil
}

func (c *Client) json(ctx context.Context, method, path string, body []byte, header http.Header, to any) error {
	answer, err := c.do(ctx, method, path, body, header)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(to); err != nil {
		return fmt.Errorf("the build service's answer: %w", err)
	}
	return nil
}

// do sends a request until it is answered. Only requests that may come twice are sent: all of this API.
func (c *Client) do(ctx context.Context, method, path string, body []byte, header http.Header) (*http.Response, error) {
	for try, wait := 0, c.opts.Backoff; ; try, wait = try+1, min(2*wait, 10*time.Second) {
		answer, err := c.once(ctx, method, path, body, header)
		if err == nil && answer.StatusCode < 300 {
			return answer, nil
		}
		pause := wait
		if err == nil {
			err = refusal(answer)
			if !passing(answer.StatusCode) {
				return nil, err
			}
			pause = max(wait, retryAfter(answer))
		}
		if try >= c.opts.Retries || ctx.Err() != nil {
			return nil, err
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

func (c *Client) once(ctx context.Context, method, path string, body []byte, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, header)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.opts.Token != nil {
		token, err := c.opts.Token(ctx)
		if err != nil {
			return nil, fmt.Errorf("the token: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return c.opts.HTTP.Do(r)
}

func refusal(answer *http.Response) error {
	defer answer.Body.Close()
	e := &Error{}
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil || json.Unmarshal(text, e) != nil {
		e.Detail = strings.TrimSpace(string(text[:min(len(text), 200)]))
	}
	e.Status = answer.StatusCode
	return e
}

func passing(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

func retryAfter(answer *http.Response) time.Duration {
	seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, time.Minute)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ErrLogBroke says that a log could not be followed to its end.
var ErrLogBroke = errors.New("the log broke off and could not be taken up again")
